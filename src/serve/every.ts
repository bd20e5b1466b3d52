/**
 * Runs a task now, and again that long after each end of it. Keeps no process alive.
 *
 * @param failed gets told of what a run rejected with; the next one comes all the same
 * @returns what stops it
 */
export function every(
  milliseconds: number,
  task: () => Promise<unknown>,
  failed: (error: unknown) => void,
): () => void {
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  async function run(): Promise<void> {
    await task().catch((error) => isStopped || failed(error))
    if (!isStopped) timer = setTimeout(run, milliseconds).unref()
  }
  void run()
  return () => {
    isStopped = true
    if (timer) clearTimeout(timer)
  }
}
