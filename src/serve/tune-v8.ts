import { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'

/** What V8 would guess wrong about a broker. To be called before anything else runs. */
export function tuneV8(): void {
  tuneCollector()
  showBrokenConnection()
}

/**
 * Has V8 make new objects where they are collected cheaply, always, and leave the heap alone while nothing happens.
 *
 * Under load every request lives longer than the first small collections, so V8 would guess that objects made there
 * last, and make them among the old ones. There each one that is dead keeps all that it points to until the next full
 * collection: a third of the broker's time went into copying dead requests (docs/performance.md).
 *
 * Eight seconds after the last request V8 would collect everything to give memory back. It finds no request alive then,
 * and throws away all optimized code that was made for one: the next requests cost three times as much for two seconds,
 * whenever a burst follows a pause.
 */
function tuneCollector(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
  // `--no-memory-reducer` is read too early to be set here.
  setFlagsFromString('--memory-reducer-gc-count=0')
}

/**
 * Has V8 see one connection that ends with an error before it optimizes anything.
 *
 * The error of a stream is a field that no stream has before the first one fails. V8 then throws away all code that was
 * optimized for streams without it, which is most of the data plane: a client that breaks off in the middle of the first
 * load would make the next seconds as slow as the first.
 */
function showBrokenConnection(): void {
  new Socket().on('error', () => {}).destroy(new Error('shown to V8'))
}
