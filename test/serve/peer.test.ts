import { EventEmitter } from 'node:events'
import { deserialize, serialize } from 'node:v8'
import { expect, test } from 'vitest'
import { StorageUnavailable } from '#broker/ports.ts'
import { type Line, type Methods, peer } from '#serve/peer.ts'
import { StartError } from '#serve.ts'

/** Two ends of a line; messages are cloned, and come in a later turn. */
function line(): [Line, Line] {
  const ends = [new EventEmitter(), new EventEmitter()] as const
  const end = (own: EventEmitter, other: EventEmitter): Line => ({
    send(message) {
      const sent = deserialize(serialize(message))
      setImmediate(() => other.emit('message', sent))
    },
    onMessage: (listener) => void own.on('message', listener),
  })
  return [end(ends[0], ends[1]), end(ends[1], ends[0])]
}

function asking<Theirs extends Methods>(theirs: Theirs) {
  const [near, far] = line()
  peer(far, theirs)
  return peer<Theirs>(near, {})
}

test('each question gets its own answer, in whatever order they come', async () => {
  const first = Promise.withResolvers<string>()
  const there = asking({ answer: (name: string) => (name === 'first' ? first.promise : name) })
  const waiting = there.ask('answer', 'first')
  expect(await there.ask('answer', 'second')).toBe('second')
  first.resolve('late')
  expect(await waiting).toBe('late')
})

test('arguments and results are what they were: bytes, maps, nothing', async () => {
  const there = asking({ same: (value: unknown) => value })
  for (const value of [Uint8Array.of(0, 255), new Map([['a', [null]]]), undefined, { at: 1.5 }])
    expect(await there.ask('same', value)).toEqual(value)
})

test.each([new StorageUnavailable('the disk'), new StartError('the address')])('%s keeps its class', async (error) => {
  const there = asking({
    fail() {
      throw error
    },
  })
  const failing = there.ask('fail')
  await expect(failing).rejects.toBeInstanceOf(error.constructor)
  await expect(failing).rejects.toThrow(error.message)
})

test('another error says where it came from', async () => {
  const fault = new RangeError('too deep')
  const there = asking({ fail: () => Promise.reject(fault) })
  await expect(there.ask('fail')).rejects.toMatchObject({ name: 'RangeError', stack: fault.stack })
})

test('what is told is done, and nobody waits; a failure there stays there', async () => {
  const told: string[] = []
  const there = asking({
    note(word: string) {
      told.push(word)
      throw new Error(word)
    },
    last: () => told.length,
  })
  there.tell('note', 'one')
  there.tell('note', 'two')
  expect(await there.ask('last')).toBe(2)
  expect(told).toEqual(['one', 'two'])
})

test('when the other process is gone, what waits is rejected, and what comes', async () => {
  const there = asking({ hang: () => new Promise(() => {}) })
  const waiting = there.ask('hang')
  there.lost()
  await expect(waiting).rejects.toThrow(/has ended/)
  await expect(there.ask('hang')).rejects.toThrow(/has ended/)
  there.tell('hang')
})

test('what cannot be cloned is rejected at once', async () => {
  await expect(asking({ same: (value: unknown) => value }).ask('same', () => {})).rejects.toThrow()
})
