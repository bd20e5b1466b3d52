import { recordable } from '#domain/audit-event.ts'
import { rememberingLast } from '#storage/remembering-last.ts'

export const recordableRoute = rememberingLast(recordable)

export const recordableModel = rememberingLast((model: string | null) => (model === null ? null : recordable(model)))
