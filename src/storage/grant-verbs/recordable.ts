import { recordable } from '#domain/audit-event.ts'
import { rememberingLast } from '#storage/remembering-last.ts'

/** `recordable`, not asked again for the route of the request before. */
export const recordableRoute = rememberingLast(recordable)

/** The same for models, of which `null` is none. */
export const recordableModel = rememberingLast((model: string | null) => (model === null ? null : recordable(model)))
