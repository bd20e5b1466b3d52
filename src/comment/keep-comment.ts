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
  /** Waits until others that write at the same time have written, before looking whether what was written stands. */
  readonly settle: () => Promise<void>
  /** Whether others may be about to make the comment too: then it waits before it makes one. */
  readonly hesitate: boolean
  /** How often it looks before it gives up. */
  readonly looks: number
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
 * @throws what `request` throws; and {@link NotKept} when others kept overwriting it
 */
export async function keepComment(kept: Kept): Promise<KeptOutcome> {
  for (let look = 1; look <= kept.looks; look++) {
    const found = await find(kept)
    const body = kept.write(found.map((comment) => comment.body))
    if (body === null) return 'nothing to say'
    const [first, ...others] = found
    if (first && others.length === 0 && isSame(first.body, body)) return 'kept'
    if (first || look > 1 || !kept.hesitate) await say(kept, first, body)
    for (const other of others) await remove(kept, other)
    await kept.settle()
  }
  throw new NotKept('others wrote the comment at the same time, again and again')
}

export class NotKept extends Error {
  override readonly name = 'NotKept'
}

/** Oldest first. */
async function find({ request, owner, repo, number, marker, isOurs }: Kept): Promise<Comment[]> {
  const all = await readAll(request, 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments', {
    owner,
    repo,
    issue_number: number,
  })
  return all
    .map(readComment)
    .filter((comment) => comment !== null)
    .filter((comment) => comment.body.startsWith(marker) && isOurs(comment))
    .sort((a, b) => a.id - b.id)
}

function readComment(data: unknown): Comment | null {
  const { id, body, user } = data as { id?: unknown; body?: unknown; user?: Comment['author'] }
  if (typeof id !== 'number' || typeof body !== 'string') return null
  return { id, body, author: user ?? null }
}

async function say({ request, owner, repo, number }: Kept, comment: Comment | undefined, body: string): Promise<void> {
  if (comment && isSame(comment.body, body)) return
  if (comment)
    await request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
      owner,
      repo,
      comment_id: comment.id,
      body,
    }).catch(ignoreMissing)
  else
    await request('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', {
      owner,
      repo,
      issue_number: number,
      body,
    })
}

async function remove({ request, owner, repo }: Kept, comment: Comment): Promise<void> {
  await request('DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}', {
    owner,
    repo,
    comment_id: comment.id,
  }).catch(ignoreMissing)
}

/** Somebody else removed it a moment ago: the next look finds what there is. */
function ignoreMissing(error: unknown): void {
  if (statusOf(error) !== 404) throw error
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
