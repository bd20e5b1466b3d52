import { setFlagsFromString } from 'node:v8'

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
export function tuneCollector(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
  // `--no-memory-reducer` is read too early to be set here.
  setFlagsFromString('--memory-reducer-gc-count=0')
}
