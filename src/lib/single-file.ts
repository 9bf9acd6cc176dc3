/**
 * Whether the program is one file with its runtime. `here`: `import.meta.url` of any module: in one
 * file the sources are in a virtual file system.
 */
export const isSingleFile = (here: string): boolean => ['/$bunfs/', '/~BUN/', '/deno-compile-'].some(part => here.includes(part));
