import type { RetentionSettings } from '#config.ts'
import { type Place, type Reader, whole } from './place.ts'

export const DEFAULT_RETENTION: RetentionSettings = { keysSeconds: null }

const DAY = 86_400
/** A run of a workflow lasts up to 35 days: a job that is not over must find the key that it had. */
const LEAST_DAYS = 36
const MOST_DAYS = 3650

/** Reads `retention:`: how long what has ended is kept. */
export const retention: Reader<RetentionSettings> = (at) => {
  const fields = at.fields(['keys'])
  return fields && whole<RetentionSettings>({ keysSeconds: fields.need('keys', days) })
}

/** `90d`, in seconds. */
function days(at: Place): number | undefined {
  const [, digits] = /^([1-9][0-9]{0,3})d$/.exec(String(at.scalar())) ?? []
  const count = Number(digits)
  return count >= LEAST_DAYS && count <= MOST_DAYS
    ? count * DAY
    : at.refuse(`expected a number of days from ${LEAST_DAYS}d to ${MOST_DAYS}d, got ${at.shown()}`)
}
