import { endedKey } from '#broker/activate.ts'
import type { Clock, Ledger } from '#broker/ports.ts'
import type { Ending, Grant } from '#domain/grant.ts'
import type { Refusal } from '#domain/refusal.ts'

/** A request that counts as open from its admission to its end. */
export interface OpenRequest {
  readonly grant: Grant | null
  /** Where it is counted as open; `null` when it is not. Only {@link openRequests} writes it. */
  place: Place | null
  /** Breaks it off: the key has ended, or the broker stops. */
  cut(refusal: Refusal): void
}

/** The place of one open request among those of its grant. */
export interface Place {
  readonly open: OpenOfGrant
  index: number
  /** Bytes that the request holds in memory. */
  bytes: number
}

/**
 * An array, in which the last takes the place of one that goes: a table of the requests (`Map`, `Set`) is made anew
 * after some dozens, and each old one keeps the next alive with all that stands in it, until V8's full collection.
 */
interface OpenOfGrant {
  readonly grant: Grant
  readonly requests: OpenRequest[]
  bytes: number
  touchedAt: number
}

/** Milliseconds. The shortest `idle_after` is a second, and three heartbeats fit into it. So late may an expired key be seen. */
const HEARTBEAT = 300
/** One key may hold this part of the memory for bodies. */
const KEYS_SHARE = 8

/**
 * The requests that are open on this broker, by grant: how many, so that a key has no more than it may; which, so that
 * they are cut when their key ends; and a heartbeat, so that a long stream does not look idle.
 */
export function openRequests(ledger: Ledger, clock: Clock, mostBytes: number, onFault: (error: unknown) => void) {
  let bytes = 0
  const grants = new Map<string, OpenOfGrant>()
  let heartbeat: NodeJS.Timeout | null = null
  let whenEmpty: (() => void) | null = null

  const cutAll = ({ grant, requests }: OpenOfGrant, ending: Ending) => {
    for (const request of [...requests]) request.cut(endedKey(grant, ending))
  }
  ledger.onEnding((grantId, ending) => {
    const open = grants.get(grantId)
    if (open) cutAll(open, ending)
  })

  const beat = () => {
    if (grants.size === 0) {
      if (heartbeat) clearInterval(heartbeat)
      heartbeat = null
      return
    }
    const now = clock()
    const due: string[] = []
    for (const open of [...grants.values()]) {
      const { expiresAt, idleAfterSeconds: idleAfter } = open.grant
      // The ledger tells of this, too, but not while it is out of reach: no stream outlives its key for that.
      if (now >= expiresAt) {
        cutAll(open, { reason: 'expired', at: expiresAt })
        continue
      }
      if (idleAfter === null || Math.abs(now - open.touchedAt) < idleAfter / 4) continue
      open.touchedAt = now
      due.push(open.grant.id)
    }
    if (due.length > 0) ledger.touch(due, now).catch(onFault)
  }

  return {
    /** Set once the broker stops: nothing more is to be added. */
    isDraining: false,
    /** @returns whether there was room for one more of this grant */
    add(request: OpenRequest, grant: Grant): boolean {
      let open = grants.get(grant.id)
      if (!open) {
        open = { grant, requests: [], bytes: 0, touchedAt: clock() }
        grants.set(grant.id, open)
        heartbeat ??= setInterval(beat, HEARTBEAT).unref()
      } else if (open.requests.length >= grant.concurrentRequests) return false
      request.place = { open, index: open.requests.push(request) - 1, bytes: 0 }
      return true
    },
    /** @returns whether there was room for so many more bytes of an open request; they are held until it ends */
    hold({ place }: OpenRequest, more: number): boolean {
      if (!place || bytes + more > mostBytes || place.open.bytes + more > mostBytes / KEYS_SHARE) return false
      bytes += more
      place.open.bytes += more
      place.bytes += more
      return true
    },
    remove(request: OpenRequest): void {
      const { place } = request
      if (!place) return
      request.place = null
      const { open, index } = place
      bytes -= place.bytes
      open.bytes -= place.bytes
      const last = open.requests.pop()!
      if (last !== request) {
        open.requests[index] = last
        last.place!.index = index
      }
      if (open.requests.length > 0) return
      grants.delete(open.grant.id)
      // The heartbeat stops by itself: requests that come one by one would start and stop it for each.
      if (grants.size === 0) whenEmpty?.()
    },
    /** Resolves when none is open; after `milliseconds` those that are left are cut. */
    async drain(milliseconds: number, refusal: Refusal): Promise<void> {
      this.isDraining = true
      if (grants.size === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      whenEmpty = resolve
      const timer = setTimeout(() => {
        for (const open of [...grants.values()]) for (const request of [...open.requests]) request.cut(refusal)
      }, milliseconds)
      await promise
      clearTimeout(timer)
    },
  }
}

export type OpenRequests = ReturnType<typeof openRequests>
