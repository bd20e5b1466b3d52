import { endedKey } from '#broker/activate.ts'
import type { Clock, Ledger } from '#broker/ports.ts'
import type { Grant } from '#domain/grant.ts'
import type { Refusal } from '#domain/refusal.ts'

/** A request that counts as open from its admission to its end. */
export interface OpenRequest {
  readonly grant: Grant | null
  /** Breaks it off: the key has ended, or the broker stops. */
  cut(refusal: Refusal): void
}

interface OpenOfGrant {
  readonly grant: Grant
  /** Each with the bytes that it holds in memory. */
  readonly requests: Map<OpenRequest, number>
  bytes: number
  touchedAt: number
}

/** Milliseconds. The shortest `idle_after` is a second, and three heartbeats fit into it. */
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

  ledger.onEnding((grantId, ending) => {
    const open = grants.get(grantId)
    if (open) for (const request of [...open.requests.keys()]) request.cut(endedKey(open.grant, ending))
  })

  const beat = () => {
    const now = clock()
    const due: string[] = []
    for (const open of grants.values()) {
      const idleAfter = open.grant.idleAfterSeconds
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
      const open = grants.get(grant.id)
      if (!open) {
        grants.set(grant.id, { grant, requests: new Map([[request, 0]]), bytes: 0, touchedAt: clock() })
        if (grant.idleAfterSeconds !== null && !heartbeat) heartbeat = setInterval(beat, HEARTBEAT).unref()
        return true
      }
      if (open.requests.size >= grant.concurrentRequests) return false
      open.requests.set(request, 0)
      return true
    },
    /** @returns whether there was room for so many more bytes of an open request; they are held until it ends */
    hold(request: OpenRequest, more: number): boolean {
      const open = grants.get(request.grant?.id ?? '')
      if (!open || bytes + more > mostBytes || open.bytes + more > mostBytes / KEYS_SHARE) return false
      bytes += more
      open.bytes += more
      open.requests.set(request, (open.requests.get(request) ?? 0) + more)
      return true
    },
    remove(request: OpenRequest): void {
      const id = request.grant?.id
      const open = id === undefined ? undefined : grants.get(id)
      const held = open?.requests.get(request)
      if (id === undefined || !open || held === undefined) return
      bytes -= held
      open.bytes -= held
      open.requests.delete(request)
      if (open.requests.size > 0) return
      grants.delete(id)
      if (grants.size > 0) return
      if (heartbeat) clearInterval(heartbeat)
      heartbeat = null
      whenEmpty?.()
    },
    /** Resolves when none is open; after `milliseconds` those that are left are cut. */
    async drain(milliseconds: number, refusal: Refusal): Promise<void> {
      this.isDraining = true
      if (grants.size === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      whenEmpty = resolve
      const timer = setTimeout(() => {
        for (const open of [...grants.values()]) for (const request of [...open.requests.keys()]) request.cut(refusal)
      }, milliseconds)
      await promise
      clearTimeout(timer)
    },
  }
}

export type OpenRequests = ReturnType<typeof openRequests>
