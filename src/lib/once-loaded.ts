/** What most processes never need, loaded by its first use. */

/** Loads at the first call; calls meanwhile wait for it. The next call repeats a failed load. */
export function onceLoaded<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}
