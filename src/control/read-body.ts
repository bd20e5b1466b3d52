import type { IncomingMessage } from 'node:http'
import { type Refusal, refusal } from '#domain/refusal.ts'
import type { ControlLimits } from './call.ts'

/** Whether the head announces a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** The client went away before its request was complete, so that there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}

/**
 * Reads a whole body. Of one that is too large the rest is read and dropped, up to a bound, so that the client gets to
 * read the refusal and not a reset connection.
 *
 * @param room what the bodies that are read at the same time leave of the memory for them
 * @returns `body_too_large`; `limit_exceeded` when there is no room; `request_timeout` when it does not end in time
 * @throws {ClientGone}
 */
export function readBody(
  request: IncomingMessage,
  limits: ControlLimits,
  room: { bytes: number },
): Promise<Uint8Array | Refusal> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > limits.bodyBytes + DROPPED_BYTES) return Promise.resolve(tooLarge(limits.bodyBytes))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    let held = 0
    const settle = (act: () => void) => {
      clearTimeout(timer)
      request.off('data', take)
      room.bytes += held
      held = 0
      act()
    }
    const take = (chunk: Buffer) => {
      length += chunk.length
      if (length <= limits.bodyBytes) {
        if (chunk.length > room.bytes) return settle(() => resolve(NO_ROOM))
        room.bytes -= chunk.length
        held += chunk.length
        chunks.push(chunk)
      } else if (length > limits.bodyBytes + DROPPED_BYTES) settle(() => resolve(tooLarge(limits.bodyBytes)))
    }
    const timer = setTimeout(() => settle(() => resolve(tooSlow(limits.bodyTime))), limits.bodyTime)
    request
      .on('data', take)
      .once('end', () =>
        settle(() => resolve(length > limits.bodyBytes ? tooLarge(limits.bodyBytes) : Buffer.concat(chunks))),
      )
      .once('close', () => settle(() => reject(new ClientGone())))
      // A client that goes away midway is told of by `close`.
      .on('error', () => {})
  })
}

const DROPPED_BYTES = 1_048_576

const NO_ROOM = refusal(
  'limit_exceeded',
  'Cannot read the request: the broker is reading as many bodies as it has room for. Try again in a moment.',
  1,
)

function tooLarge(most: number): Refusal {
  return refusal('body_too_large', `Cannot read the request: its body is longer than ${most} bytes.`)
}

function tooSlow(milliseconds: number): Refusal {
  return refusal('request_timeout', `Cannot read the request: its body did not end within ${milliseconds / 1000} s.`)
}
