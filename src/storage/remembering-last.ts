const NONE = Symbol('none')

/**
 * A function that is not asked again for the value it was asked for last: what requests say of themselves stays the same
 * for many of them.
 *
 * @param ask what it returns depends on nothing but the value
 */
export function rememberingLast<T, R>(ask: (value: T) => R): (value: T) => R {
  let last: T | typeof NONE = NONE
  let answer: R
  return (value) => {
    if (value === last) return answer
    answer = ask(value)
    last = value
    return answer
  }
}
