/** The bars of one figure: the least that must be, and what is aimed at. Where less is better they are upper bounds. */
export interface Bars {
  readonly unit: '×' | 'µs'
  /** It may be measured, and then be stricter than the aim. */
  readonly floor: number
  /** 0: no bars, the figure is only told. */
  readonly aim: number
}

/** `aim` takes both bars, `floor` the floor. */
export function verdict(value: number, { unit, floor, aim }: Bars): 'aim' | 'floor' | 'below' | '' {
  if (aim === 0) return ''
  const reaches = (bar: number) => (unit === 'µs' ? value <= bar : value >= bar)
  if (!reaches(floor)) return 'below'
  return reaches(aim) ? 'aim' : 'floor'
}
