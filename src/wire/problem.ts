import { integer, object, type Shape, text } from './shape.ts'

/** An error of the control plane: `application/problem+json` (RFC 9457) with our `code`. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
}

export const PROBLEM_TYPE = 'application/problem+json'

/** What `type` begins with; the code follows as the fragment. */
export const DOCUMENTATION = 'https://github.com/till/mint/blob/main/docs/errors.md'

const line = text(/^[^\u0000-\u001f\u007f]{0,2000}$/, 'a line of text')

/** For the reader of an answer: what it says is hostile text until it is escaped. */
export const problem: Shape<Problem> = object(
  {
    type: line,
    title: line,
    status: integer(400, 599),
    detail: line,
    code: text(/^[a-z_]{1,64}$/, 'a code'),
  },
  {},
  'ignore',
)
