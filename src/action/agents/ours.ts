/** What Till notes down in an agent's file, for the post of this job and for the jobs after one that had no post. */
export interface Ours {
  /** What was not there before. */
  readonly made: 'nothing' | 'file' | 'folder'
  /** Whom the file is set up for, the latest at the end. The last one that leaves puts the file back. */
  readonly jobs: readonly Job[]
}

/** One job that the file is set up for. */
export interface Job {
  /** The id of its key. */
  readonly key: string
  /** Base URL of the provider `openai`, if it has that. */
  readonly base: string
  /** A file that the runner removes when the job is over, however it ends. */
  readonly alive: string
  /** NumericDate: when the key dies at the latest. */
  readonly expires: number
}

/** JSON in ASCII, on one line: it stands in files of any encoding. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** @returns `null` when it is not `Ours`: anybody can write into the file */
export function parseOurs(value: unknown): Ours | null {
  const { made, jobs } = (value ?? {}) as Partial<Ours>
  const known = (made === 'nothing' || made === 'file' || made === 'folder') && Array.isArray(jobs) && jobs.every(isJob)
  return known ? { made, jobs } : null
}

function isJob(value: unknown): value is Job {
  const { key, base, alive, expires } = (value ?? {}) as Partial<Job>
  return [key, base, alive].every((text) => typeof text === 'string') && typeof expires === 'number'
}
