import { mayRunAgain } from './faults.ts'
import type { Row, Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** A deadlock or a failed serialization was rolled back: how often it is tried altogether. */
const TRIES = 3

/** One transaction. What is sent in one go costs one round trip. */
export interface Statements {
  query(text: string, values?: readonly unknown[]): Promise<Row[]>
}

/**
 * Runs `work` in one transaction, which is on disk when this returns.
 *
 * @param work may be run again when the server rolled it back for the sake of others; it must have no other effect
 * @throws what it threw: nothing was written. Or what the connection threw: whether it was written is not known
 */
export async function transact<T>(sessions: Sessions, work: (statements: Statements) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await sessions.use((session) => transactIn(session, work))
    } catch (error) {
      if (tries === TRIES || !mayRunAgain(error)) throw error
    }
  }
}

/** The same in one session, without a second try. */
export async function transactIn<T>(session: Session, work: (statements: Statements) => Promise<T>): Promise<T> {
  const begun = session.query('BEGIN')
  // Sent with the first statement; its own fault is that of the statement too.
  begun.catch(() => {})
  let value: T
  try {
    value = await work(session)
  } catch (error) {
    if (!session.isBroken) await session.query('ROLLBACK').catch(() => {})
    throw error
  }
  await session.query('COMMIT')
  return value
}
