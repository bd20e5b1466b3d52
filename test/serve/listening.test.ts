import { expect, test } from 'vitest'
import { holdAddress } from '#serve/listening.ts'

test.runIf(process.platform === 'linux')(
  "an address that workers share is one broker's, until that gives it back",
  async () => {
    const address = { host: '127.0.0.1', port: 65_001 }
    const release = await holdAddress(address)
    await expect(holdAddress(address)).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'listen' })
    const other = await holdAddress({ ...address, port: 65_002 })
    release()
    ;(await holdAddress(address))()
    other()
  },
)
