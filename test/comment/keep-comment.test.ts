import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { keepComment, NotKept, Removed } from '#comment/keep-comment.ts'
import type { Request } from '#comment/request.ts'
import { isOfOnePlace, isPassing, whyNot } from '#comment/why-not.ts'

const MARKER = '<!-- marker -->'
const US = { id: 1, login: 'till[bot]', type: 'Bot' }

/** The comments of a pull request, and a place for a test to step in between two requests. */
function pullRequest() {
  const comments: { id: number; body: string; user: typeof US | null }[] = []
  const asked: string[] = []
  let nextId = 1
  /** What the list of comments shows. */
  const list = { shows: (_: { id: number }): boolean => true }
  const add = (body: string, user: typeof US | null = US) => {
    comments.push({ id: nextId, body, user })
    return nextId++
  }
  const missing = () => Object.assign(new Error('Not Found'), { status: 404 })
  const request: Request = async (route, parameters = {}) => {
    const method = route.split(' ')[0]!
    const { body, comment_id: id, page } = parameters as { body: string; comment_id: number; page: number }
    asked.push(method)
    const at = comments.findIndex((comment) => comment.id === id)
    if (method === 'GET' && id === undefined)
      return { status: 200, data: structuredClone(comments.filter(list.shows).slice((page - 1) * 100, page * 100)) }
    if (method === 'POST') {
      const made = add(body)
      return { status: 201, data: structuredClone(comments.find((comment) => comment.id === made)) }
    }
    if (at < 0) throw missing()
    if (method === 'GET') return { status: 200, data: structuredClone(comments[at]) }
    if (method === 'PATCH') comments[at]!.body = body
    else comments.splice(at, 1)
    return { status: 200, data: null }
  }
  const isUs: Parameters<typeof keepComment>[0]['isOurs'] = ({ author }) => author?.login === US.login
  const keep = (
    mine: string,
    {
      settle = async () => {},
      looks = 8,
      hesitate = false,
      isOurs = isUs,
      ...others
    }: Partial<Parameters<typeof keepComment>[0]> = {},
  ) =>
    keepComment({
      request,
      owner: 'acme',
      repo: 'web',
      number: 5,
      marker: MARKER,
      isOurs,
      write: (bodies) => {
        const rows = new Set([...bodies.flatMap((text) => text.trim().split(/\r?\n/).slice(1)), mine])
        return mine === '' ? null : [MARKER, ...[...rows].sort()].join('\n')
      },
      settle,
      hesitate,
      looks,
      ...others,
    })
  return { request, comments, list, asked, add, keep, bodies: () => comments.map(({ body }) => body) }
}

test('the first makes it, the second adds to it, and who has nothing new leaves it', async () => {
  const { keep, bodies, asked } = pullRequest()
  expect(await keep('a')).toBe('kept')
  expect(await keep('b')).toBe('kept')
  expect(bodies()).toEqual([`${MARKER}\na\nb`])
  asked.length = 0
  await keep('b')
  expect(asked).toEqual(['GET'])
})

test('nothing to say makes none', async () => {
  const { keep, asked } = pullRequest()
  expect(await keep('')).toBe('nothing to say')
  expect(asked).toEqual(['GET'])
})

test('only a comment with the marker and by the same author is ours', async () => {
  const { add, keep, bodies } = pullRequest()
  const foreign = [`${MARKER}\nforged`, 'hello', `${MARKER}\nghost`]
  add(foreign[0]!, { id: 2, login: 'mallory', type: 'User' })
  add(foreign[1]!)
  add(foreign[2]!, null)
  await keep('a')
  expect(bodies()).toEqual([...foreign, `${MARKER}\na`])
})

test('a comment of the same author that quotes the marker is left alone', async () => {
  const { add, keep, bodies } = pullRequest()
  const quote = `Welcome! You wrote:\n> ${MARKER}\n${MARKER}\nmallory was here`
  add(quote)
  await keep('a')
  await keep('b')
  expect(bodies()).toEqual([quote, `${MARKER}\na\nb`])
})

test('it is found on the third page', async () => {
  const { add, keep, comments } = pullRequest()
  for (let n = 0; n < 230; n++) add(`comment ${n}`, { id: 3, login: 'octocat', type: 'User' })
  add(`${MARKER}\na`)
  await keep('b')
  expect(comments).toHaveLength(231)
  expect(comments.at(-1)!.body).toBe(`${MARKER}\na\nb`)
})

test('line ends that GitHub changed are no change', async () => {
  const { add, keep, asked } = pullRequest()
  add(`${MARKER}\r\na\r\n`)
  await keep('a')
  expect(asked).toEqual(['GET'])
})

describe('writers at the same time', () => {
  test('are waited for as long as it takes to look and to write, as the one that waits has seen', async () => {
    const { request, keep } = pullRequest()
    const took: number[] = []
    await keep('a', {
      request: (route, parameters) => sleep(40).then(() => request(route, parameters)),
      settle: async (milliseconds) => void took.push(milliseconds),
    })
    expect(took).toHaveLength(1)
    expect(took[0]).toBeGreaterThanOrEqual(75)
  })

  test('who was overwritten writes again', async () => {
    const { comments, keep, bodies } = pullRequest()
    let overwrites = 2
    await keep('a', {
      settle: async () => {
        if (overwrites-- > 0) comments[0]!.body = `${MARKER}\nb`
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
  })

  test('of two that made one each the older stays, with the rows of both', async () => {
    const { add, keep, bodies } = pullRequest()
    let isFirst = true
    await keep('a', {
      settle: async () => {
        if (isFirst) add(`${MARKER}\nb`)
        isFirst = false
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
  })

  test('who hesitates makes none when another was quicker', async () => {
    const { add, keep, bodies } = pullRequest()
    let isFirst = true
    await keep('a', {
      hesitate: true,
      settle: async () => {
        if (isFirst) add(`${MARKER}\nb`)
        isFirst = false
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
  })

  test('a comment that was removed meanwhile is made anew', async () => {
    const { add, comments, keep, bodies } = pullRequest()
    add(`${MARKER}\nb`)
    let isFirst = true
    await keep('a', {
      settle: async () => {
        if (isFirst) comments.splice(0, 1)
        isFirst = false
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na`])
  })

  test('who is overwritten every time gives up', async () => {
    const { comments, keep } = pullRequest()
    const always = async () => {
      comments[0]!.body = `${MARKER}\nb`
    }
    await expect(keep('a', { settle: always, looks: 4 })).rejects.toBeInstanceOf(NotKept)
  })
})

describe('one call makes one comment at most', () => {
  const posts = (asked: readonly string[]) => asked.filter((method) => method === 'POST').length

  test('where the list does not show it yet', async () => {
    const { list, asked, keep, bodies } = pullRequest()
    list.shows = () => false
    expect(await keep('a')).toBe('kept')
    expect(bodies()).toEqual([`${MARKER}\na`])
    expect(posts(asked)).toBe(1)
  })

  test('where its author is not who was expected, and it joins an earlier one of that author', async () => {
    const { add, asked, keep, bodies } = pullRequest()
    add(`${MARKER}\nforged`, { id: 2, login: 'mallory', type: 'User' })
    add(`${MARKER}\nb`)
    expect(await keep('a', { isOurs: () => false })).toBe('kept')
    expect(bodies()).toEqual([`${MARKER}\nforged`, `${MARKER}\na\nb`])
    expect(posts(asked)).toBe(1)
  })

  test('where somebody removes it at once: others in the repository are not affected, and no later try helps', async () => {
    const { comments, asked, keep } = pullRequest()
    const settle = async () => void comments.splice(0)
    const error = await keep('a', { settle }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Removed)
    expect([isPassing(error), isOfOnePlace(error), posts(asked)]).toEqual([false, true, 1])
    expect(whyNot(error, 'permission')).toContain('removed')
  })

  test('where another writer removed it for an older one that is listed late', async () => {
    const { add, comments, list, asked, keep, bodies } = pullRequest()
    add(`${MARKER}\nb`)
    let looks = 0
    list.shows = () => looks > 2
    await keep('a', {
      settle: async () => {
        if (++looks === 1) comments.splice(1)
      },
    })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
    expect(posts(asked)).toBe(1)
  })

  test('and so do several calls that remember it', async () => {
    const { list, asked, keep, bodies } = pullRequest()
    const memory = { made: null }
    list.shows = () => false
    await keep('a', { memory })
    await keep('b', { memory })
    expect(bodies()).toEqual([`${MARKER}\na\nb`])
    expect(posts(asked)).toBe(1)
  })

  test('but one that was removed long ago is made anew', async () => {
    const { comments, keep, bodies } = pullRequest()
    const memory = { made: null }
    await keep('a', { memory })
    comments.splice(0)
    await keep('b', { memory })
    expect(bodies()).toEqual([`${MARKER}\nb`])
  })
})

test.each<[number | null, string, string, boolean]>([
  [403, 'Resource not accessible by integration', 'GitHub does not allow it: permission', false],
  [403, 'Unable to create comment because issue is locked.', 'its conversation is locked', false],
  [403, 'API rate limit exceeded', "GitHub's rate limit is reached", true],
  [429, '', "GitHub's rate limit is reached", true],
  [401, 'Bad credentials', 'GitHub does not accept the token', false],
  [404, 'Not Found', 'there is no such pull request', false],
  [410, 'Gone', 'there is no such pull request', false],
  [422, 'Validation Failed', 'status 422', false],
  [502, 'Bad Gateway', 'GitHub answered with status 502', true],
  [null, 'fetch failed', 'GitHub did not answer', true],
])('%s %s: %s', (status, message, why, passes) => {
  const error = Object.assign(new Error(message), status === null ? {} : { status })
  expect(whyNot(error, 'permission')).toContain(why)
  expect(isPassing(error)).toBe(passes)
})
