/** Entries of a text with commas between them, without the spaces around each. */

/** Empty entries included: for a list in which an empty entry is a mistake. */
export const commaEntries = (text: string): string[] => text.split(',').map(entry => entry.trim());

/** Without empty entries; an empty text is an empty list. */
export const commaList = (text: string): string[] => commaEntries(text).filter(entry => entry !== '');
