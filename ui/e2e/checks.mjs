// The page that is walked, and what counts as seen: a check passes when nothing complained meanwhile.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { axe, openBrowser, setTheme } from './browser.mjs'
import { base, out, SIZES } from './options.mjs'

mkdirSync(out, { recursive: true })
export const { browser, page, newPage, complaints } = await openBrowser(base)
export const tally = { passed: 0, failed: 0, failures: [] }

export class Fatal extends Error {}
export async function check(name, run, { except = [], fatal = false, on = page } = {}) {
  try {
    await run()
    const heard = complaints(except)
    if (heard.length > 0) throw new Error(heard.join('\n    '))
    tally.passed += 1
    console.log(`ok    ${name}`)
  } catch (error) {
    tally.failed += 1
    tally.failures.push(name)
    complaints()
    console.log(`FAIL  ${name}\n    ${String(error.message).split('\n').slice(0, 12).join('\n    ')}`)
    await on.screenshot({ path: join(out, `fail-${tally.failed}.png`) }).catch(() => undefined)
    if (fatal) throw new Fatal(name)
  }
}
export const expect = (truth, why) => {
  if (!truth) throw new Error(why)
}
export const byAction = (name) => page.locator(`[data-action="${name}"]`)
export const button = (name) => page.getByRole('button', { name, exact: true })

export async function isAccessible() {
  const violations = await axe(page)
  expect(violations.length === 0, violations.join('\n'))
}

/** One page as it stands: accessible in both themes, photographed at each width. */
export async function lookAt(name) {
  for (const theme of ['light', 'dark']) {
    for (const [width, height] of SIZES) {
      await page.setViewportSize({ width, height })
      await setTheme(page, theme)
      await check(`${name}, ${theme}, ${width} px`, async () => {
        await page.waitForTimeout(200)
        await page.screenshot({ path: join(out, `${name}-${width}-${theme}.png`) })
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
        expect(over <= 0, `the page is ${over} px wider than the screen`)
        await isAccessible()
      })
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 })
  await setTheme(page, 'light')
}
