/** SQLite's primary result codes (sqlite.org/rescode.html) after which nothing more may be written. */
const FATAL: ReadonlyMap<number, string> = new Map([
  [10, 'SQLITE_IOERR'],
  [11, 'SQLITE_CORRUPT'],
  [26, 'SQLITE_NOTADB'],
])
/** Faults of the whole ledger, not of one call; the next transaction may fare better. */
const PASSING: ReadonlyMap<number, string> = new Map([
  [5, 'SQLITE_BUSY'],
  [6, 'SQLITE_LOCKED'],
  [7, 'SQLITE_NOMEM'],
  [8, 'SQLITE_READONLY'],
  [13, 'SQLITE_FULL'],
  [14, 'SQLITE_CANTOPEN'],
])

export interface Fault {
  /**
   * `fatal`: the disk or the file is broken, and a flush that failed must never be tried again, since the system may
   * have dropped what it could not write and report success the second time. `passing`: nothing was written, later
   * writes may be. `call`: the fault of one call, such as a value that cannot be stored.
   */
  readonly kind: 'fatal' | 'passing' | 'call'
  readonly name: string
}

export function faultOf(error: unknown): Fault {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  const fatal = FATAL.get(code)
  if (fatal) return { kind: 'fatal', name: fatal }
  const passing = PASSING.get(code)
  if (passing) return { kind: 'passing', name: passing }
  return { kind: 'call', name: code === 0 ? String(error) : `SQLite error ${code}` }
}
