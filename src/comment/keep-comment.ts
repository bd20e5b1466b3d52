import { type Request, readAll } from './request.ts'

/** The one comment of a pull request, and what it is to say. */
export interface Kept {
  readonly request: Request
  readonly owner: string
  readonly repo: string
  /** Of the pull request. */
  readonly number: number
  /**
   * What the body of every comment of this kind begins with. One that has it elsewhere is somebody's text that another
   * workflow of the same author quotes: it is left alone.
   */
  readonly marker: string
  /** Whether the author is the one that writes here: anybody can write the marker. */
  readonly isOurs: (comment: Comment) => boolean
  /**
   * What the comment has to say, given what those of this kind say now. `null`: nothing, so that none is made; one that
   * is there stays as it is.
   */
  readonly write: (bodies: readonly string[]) => string | null
  /**
   * Waits until others that write at the same time have written, before looking whether what was written stands.
   *
   * @param took milliseconds from looking to having written: others are as slow, with what they have read before
   */
  readonly settle: (took: number) => Promise<void>
  /** Whether others may be about to make the comment too: then it waits before it makes one. */
  readonly hesitate: boolean
  /** How often it looks before it gives up. */
  readonly looks: number
  /**
   * The comment that was made here, for whoever comes here again: GitHub may not list it yet, or not at all. By its id
   * it is known as ours.
   */
  readonly memory?: Memory
}

export interface Memory {
  made: Comment | null
}

export interface Comment {
  readonly id: number
  readonly body: string
  readonly author: { readonly id: number; readonly login: string; readonly type: string } | null
}

export type KeptOutcome = 'kept' | 'nothing to say'

/**
 * Sees to it that a pull request has one comment of this kind, and that it says what it has to.
 *
 * GitHub has no compare-and-swap, so that of two writers at the same time one may overwrite the other, or both may make
 * a comment. Whoever wrote therefore looks again after a while, and writes again if what it finds is not what it would
 * write. Of several comments the oldest stays: all writers agree on that without speaking to each other.
 *
 * It makes one comment at most. GitHub's answer says which one that is and who its author is: from then on it is ours,
 * whether or not it is listed, and so are the others of that author.
 *
 * @throws what `request` throws; {@link NotKept} when others kept overwriting it; and {@link Removed} when somebody
 *   removed the one that was made
 */
export async function keepComment(kept: Kept): Promise<KeptOutcome> {
  const memory: Memory = kept.memory ?? { made: null }
  let hasMade = false
  let missed = 0
  for (let look = 1; look <= kept.looks; look++) {
    const since = performance.now()
    const found = await find(kept, memory.made)
    const body = kept.write(found.map((comment) => comment.body))
    if (body === null) return 'nothing to say'
    const [first, ...others] = found
    if (first && others.length === 0 && isSame(first.body, body)) return 'kept'
    if (first) await change(kept, first, body)
    else if (hasMade) {
      // Perhaps for an older one that is not listed yet.
      if (++missed === MOST_MISSED) throw new Removed('somebody removed the comment as soon as it was made')
    } else if (look > 1 || !kept.hesitate) {
      hasMade = true
      memory.made = await make(kept, body)
    }
    for (const other of others) await remove(kept, other)
    await kept.settle(performance.now() - since)
  }
  throw new NotKept('others wrote the comment at the same time, again and again')
}

/** How often it looks for a comment that was made and is not there. */
const MOST_MISSED = 3

export class NotKept extends Error {
  override readonly name = 'NotKept'
}

export class Removed extends Error {
  override readonly name = 'Removed'
}

/** Oldest first. */
async function find({ request, owner, repo, number, marker, isOurs }: Kept, made: Comment | null): Promise<Comment[]> {
  const all = await readAll(request, 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments', {
    owner,
    repo,
    issue_number: number,
  })
  const isBySame = ({ author }: Comment) => made?.author != null && author?.id === made.author.id
  const listed = all
    .map(readComment)
    .filter((comment) => comment !== null)
    .filter((comment) => comment.body.startsWith(marker) && (isOurs(comment) || isBySame(comment)))
  const isUnlisted = made !== null && listed.every(({ id }) => id !== made.id)
  const unlisted = isUnlisted
    ? await request('GET /repos/{owner}/{repo}/issues/comments/{comment_id}', { owner, repo, comment_id: made.id })
        .then(({ data }) => readComment(data))
        .catch(ignoreMissing)
    : null
  return [...listed, ...(unlisted ? [unlisted] : [])].sort((a, b) => a.id - b.id)
}

function readComment(data: unknown): Comment | null {
  const { id, body, user } = data as { id?: unknown; body?: unknown; user?: Comment['author'] }
  if (typeof id !== 'number' || typeof body !== 'string') return null
  return { id, body, author: user ?? null }
}

async function change({ request, owner, repo }: Kept, comment: Comment, body: string): Promise<void> {
  if (isSame(comment.body, body)) return
  await request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
    owner,
    repo,
    comment_id: comment.id,
    body,
  }).catch(ignoreMissing)
}

async function make({ request, owner, repo, number }: Kept, body: string): Promise<Comment> {
  const { data } = await request('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', {
    owner,
    repo,
    issue_number: number,
    body,
  })
  const made = readComment(data)
  if (!made) throw new NotKept('GitHub does not say which comment it made')
  return made
}

async function remove({ request, owner, repo }: Kept, comment: Comment): Promise<void> {
  await request('DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}', {
    owner,
    repo,
    comment_id: comment.id,
  }).catch(ignoreMissing)
}

/** Somebody else removed it a moment ago: the next look finds what there is. */
function ignoreMissing(error: unknown): null {
  if (statusOf(error) !== 404) throw error
  return null
}

/** GitHub may end lines and texts in its own way. */
function isSame(found: string, written: string): boolean {
  const text = (body: string) => body.replaceAll('\r\n', '\n').trim()
  return text(found) === text(written)
}

/** The status of an answer that was thrown; `null` for what was no answer. */
export function statusOf(error: unknown): number | null {
  const status = (error as { status?: unknown } | null)?.status
  return typeof status === 'number' ? status : null
}
