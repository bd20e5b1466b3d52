import { StorageUnavailable } from '#broker/ports.ts'
import { StartError } from './start-error.ts'

/** What a process can be asked by another one. Arguments and results are cloned on their way. */
// biome-ignore lint/suspicious/noExplicitAny: any method fits, whatever it takes
export type Methods = Readonly<Record<string, (...args: any[]) => unknown>>

/** A way for messages to another process of the same broker. */
export interface Line {
  /** Drops the message when nobody is there any more. @throws when it cannot be cloned */
  send(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
}

/** The process at the other end of a line. */
export interface Peer<Theirs extends Methods> {
  /** Rejects with what the method threw there, or once the process is gone. */
  ask<M extends keyof Theirs & string>(
    method: M,
    ...args: Parameters<Theirs[M]>
  ): Promise<Awaited<ReturnType<Theirs[M]>>>
  /** Waits for no answer. */
  tell<M extends keyof Theirs & string>(method: M, ...args: Parameters<Theirs[M]>): void
  /** It is gone: rejects what waits for it, and what comes. */
  lost(): void
}

type Message =
  | { readonly kind: 'ask'; readonly id: number | null; readonly method: string; readonly args: unknown[] }
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'failed'
      readonly id: number
      readonly name: string
      readonly sentence: string
      readonly stack?: string | undefined
    }

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
}

/** Asks the process at the other end, and answers it by `ours`, in whatever order the answers come. */
export function peer<Theirs extends Methods>(line: Line, ours: Methods): Peer<Theirs> {
  const waiting = new Map<number, Waiting>()
  let isLost = false
  let last = 0

  async function answer({ id, method, args }: Extract<Message, { kind: 'ask' }>): Promise<void> {
    try {
      const value = await ours[method]!(...args)
      if (id !== null) line.send({ kind: 'done', id, value } satisfies Message)
    } catch (error) {
      const { name, message: sentence, stack } = error as Error
      if (id !== null) line.send({ kind: 'failed', id, name, sentence, stack } satisfies Message)
    }
  }

  line.onMessage((received) => {
    const message = received as Message
    if (message.kind === 'ask') return void answer(message)
    const one = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.kind === 'done') one?.resolve(message.value as never)
    else one?.reject(revived(message))
  })

  return {
    ask(method, ...args) {
      if (isLost) return Promise.reject(gone())
      return new Promise((resolve, reject) => {
        const id = ++last
        line.send({ kind: 'ask', id, method, args } satisfies Message)
        waiting.set(id, { resolve, reject })
      })
    },
    tell(method, ...args) {
      if (!isLost) line.send({ kind: 'ask', id: null, method, args } satisfies Message)
    },
    lost() {
      isLost = true
      for (const { reject } of waiting.values()) reject(gone())
      waiting.clear()
    },
  }
}

/** Errors that are told apart by their class keep it; of the others it is known where they came from. */
function revived({ name, sentence, stack }: Extract<Message, { kind: 'failed' }>): Error {
  if (name === 'StorageUnavailable') return new StorageUnavailable(sentence)
  if (name === 'StartError') return new StartError(sentence)
  return Object.assign(new Error(sentence), { name, stack })
}

function gone(): Error {
  return new Error('The process that was asked has ended')
}
