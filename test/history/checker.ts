/**
 * Decides whether a history of one key is linearizable (Herlihy and Wing 1990): whether each call can be given one instant
 * between its beginning and its end, so that the calls, one after the other, are what a counter with a bound and a
 * terminal state would answer. The search is Lowe's ("Testing for linearizability", 2017): an instant is chosen no
 * earlier than somebody's answer depends on it.
 */

/** What a client did with a key, and what came of it. Places are of one count of all beginnings and ends. */
export interface Call {
  readonly begin: number
  /** `null`: the outcome is not known; it may have its effect at any time after its beginning, or never. */
  readonly end: number | null
  readonly did: Did
}

export type Did =
  /** An activation was spent. With `end: null`: perhaps. */
  | { readonly kind: 'used' }
  /** A use was refused because the budget is spent. */
  | { readonly kind: 'refused_spent' }
  /** A use was refused because the key has ended. */
  | { readonly kind: 'refused_ended' }
  /** The key was ended, now or before. With `end: null`: perhaps. */
  | { readonly kind: 'revoked' }
  /** The living key was read. */
  | { readonly kind: 'read'; readonly used: number }

export interface Verdict {
  readonly isLinearizable: boolean
  /** The first call whose answer nothing explains. */
  readonly culprit: Call | null
}

/** The state of the counter, and which calls that have not ended have had their instant. */
interface World {
  readonly used: number
  readonly hasEnded: boolean
  /** Of the uses with unknown outcome: how many had an effect. */
  readonly unknownUses: number
  readonly done: ReadonlySet<Call>
}

export function check(calls: readonly Call[], limit: number): Verdict {
  const steps = calls
    .flatMap((call) => [
      { place: call.begin, call, isEnd: false },
      ...(call.end === null ? [] : [{ place: call.end, call, isEnd: true }]),
    ])
    .sort((a, b) => a.place - b.place)
  const open: Open = { uses: [], revocations: [], looks: [], unknownUses: 0, mayBeRevoked: false }
  let worlds: readonly World[] = [{ used: 0, hasEnded: false, unknownUses: 0, done: new Set() }]
  for (const { call, isEnd } of steps) {
    if (!isEnd) {
      begin(open, call)
      worlds = worlds.map((world) => observed(world, open, limit))
      continue
    }
    worlds = unique(worlds.flatMap((world) => worldsAfter(world, call, open, limit)))
    if (worlds.length === 0) return { isLinearizable: false, culprit: call }
    close(open, call)
    worlds = unique(worlds.map((world) => ({ ...world, done: without(world.done, call) })))
  }
  return { isLinearizable: true, culprit: null }
}

/** Calls that have begun and not ended, by what they can do. */
interface Open {
  /** Those that end first come first. */
  readonly uses: Call[]
  readonly revocations: Call[]
  /** They change nothing. */
  readonly looks: Call[]
  unknownUses: number
  mayBeRevoked: boolean
}

function begin(open: Open, call: Call): void {
  const { kind } = call.did
  if (call.end === null) {
    if (kind === 'used') open.unknownUses++
    if (kind === 'revoked') open.mayBeRevoked = true
    return
  }
  if (kind === 'used') {
    open.uses.push(call)
    open.uses.sort((a, b) => a.end! - b.end!)
  } else if (kind === 'revoked') open.revocations.push(call)
  else open.looks.push(call)
}

function close(open: Open, call: Call): void {
  for (const list of [open.uses, open.revocations, open.looks]) {
    const at = list.indexOf(call)
    if (at !== -1) list.splice(at, 1)
  }
}

/** Every world in which the call has had its instant, with as many others before it as one likes. */
function worldsAfter(world: World, call: Call, open: Open, limit: number): World[] {
  const after: World[] = []
  const seen = new Set<string>()
  const ahead = [observed(world, open, limit)]
  for (let next = ahead.pop(); next; next = ahead.pop()) {
    if (seen.has(nameOf(next))) continue
    seen.add(nameOf(next))
    if (next.done.has(call)) after.push(next)
    else ahead.push(...nextWorlds(next, open, limit))
  }
  return after
}

/** Each change that one open call can bring. */
function nextWorlds(world: World, open: Open, limit: number): World[] {
  const next: World[] = []
  if (!world.hasEnded && world.used < limit) {
    // All uses do the same, so that the one which ends first can be taken first.
    const use = open.uses.find((call) => !world.done.has(call))
    if (use) next.push({ ...world, used: world.used + 1, done: new Set([...world.done, use]) })
    if (world.unknownUses < open.unknownUses)
      next.push({ ...world, used: world.used + 1, unknownUses: world.unknownUses + 1 })
  }
  if (!world.hasEnded && (open.mayBeRevoked || open.revocations.length > 0)) next.push({ ...world, hasEnded: true })
  return next.map((one) => observed(one, open, limit))
}

/** Gives an instant to every open call that changes nothing and fits this state: it could not do better later. */
function observed(world: World, open: Open, limit: number): World {
  const seen = open.looks.filter((call) => !world.done.has(call) && fits(world, call.did, limit))
  const repeated = world.hasEnded ? open.revocations.filter((call) => !world.done.has(call)) : []
  return seen.length + repeated.length === 0
    ? world
    : { ...world, done: new Set([...world.done, ...seen, ...repeated]) }
}

function fits({ used, hasEnded }: World, did: Did, limit: number): boolean {
  switch (did.kind) {
    case 'read':
      return !hasEnded && used === did.used
    // A spent key whose requests have finished is closed as exhausted, whatever closed it.
    case 'refused_spent':
      return used >= limit
    case 'refused_ended':
      return hasEnded
    default:
      return false
  }
}

function without(calls: ReadonlySet<Call>, call: Call): ReadonlySet<Call> {
  const rest = new Set(calls)
  rest.delete(call)
  return rest
}

function unique(worlds: readonly World[]): World[] {
  return [...new Map(worlds.map((world) => [nameOf(world), world])).values()]
}

function nameOf({ used, hasEnded, unknownUses, done }: World): string {
  const begins = [...done].map((call) => call.begin).sort((a, b) => a - b)
  return `${used} ${hasEnded} ${unknownUses} ${begins}`
}
