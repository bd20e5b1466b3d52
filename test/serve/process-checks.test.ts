import { expect, test } from 'vitest'
import { keepProcessPrivate, type ProcessSettings, processKeepsSecrets } from '#serve/process-checks.ts'
import { recordingLog } from '#test/support/recording-log.ts'

const SAFE: ProcessSettings = {
  execArgv: ['--disable-sigusr1'],
  env: { NODE_OPTIONS: '--max-old-space-size=512' },
  isInspected: false,
}

test('T39: a process that keeps its secrets may start', () => {
  expect(() => processKeepsSecrets(SAFE)).not.toThrow()
})

test.each([
  '--inspect',
  '--inspect-brk=0',
  '--report-on-fatalerror',
  '--report-on-signal',
  '--report-uncaught-exception',
  '--heapsnapshot-signal=SIGUSR2',
  '--heapsnapshot_near_heap_limit=2',
  '--abort-on-uncaught-exception',
  '--tls-keylog=/tmp/keys',
  '--trace-tls',
])('T39: it may not with %s, on the command line or in NODE_OPTIONS', (option) => {
  expect(() => processKeepsSecrets({ ...SAFE, execArgv: [option] })).toThrow('Cannot start with')
  expect(() => processKeepsSecrets({ ...SAFE, env: { NODE_OPTIONS: `--no-deprecation "${option}"` } })).toThrow()
})

test.each(['NODE_DEBUG', 'NODE_DEBUG_NATIVE'])('T39: it may not with %s, which has Node tell of its inside', (name) => {
  expect(() => processKeepsSecrets({ ...SAFE, env: { [name]: 'child_process' } })).toThrow(`Cannot start with ${name}`)
  expect(() => processKeepsSecrets({ ...SAFE, env: { [name]: '' } })).not.toThrow()
})

test('T39, T53: it may not where certificates are not checked, nor under an inspector', () => {
  expect(() => processKeepsSecrets({ ...SAFE, env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } })).toThrow()
  expect(() => processKeepsSecrets({ ...SAFE, isInspected: true })).toThrow()
})

test('T39: the operator hears of a signal that opens the inspector, and of core files', () => {
  const umask = process.umask()
  const lines = (settings: ProcessSettings, core: string) => {
    const log = recordingLog()
    keepProcessPrivate(log, settings, `Max core file size        ${core}                    unlimited            bytes`)
    return log.lines
  }
  try {
    expect(lines(SAFE, '0')).toEqual([])
    expect(lines({ ...SAFE, execArgv: [] }, '0')).toHaveLength(1)
    expect(lines(SAFE, 'unlimited')).toHaveLength(1)
    expect(process.umask()).toBe(0o077)
    expect(process.report.excludeEnv).toBe(true)
  } finally {
    process.umask(umask)
  }
})
