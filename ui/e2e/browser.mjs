// A browser whose every complaint counts: console errors, uncaught errors, refused resources,
// violations of the content security policy.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const ARGS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export async function openBrowser(base) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS })
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, baseURL: base, reducedMotion: 'reduce', colorScheme: 'light' })
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`security policy: ${event.violatedDirective} refused ${event.blockedURI} ${event.sample}`)
    })
  })
  const complaints = []
  /** Another page of the same session; `prepare` runs in it before its own scripts do. */
  async function newPage(prepare) {
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    if (prepare) await page.addInitScript(prepare)
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`)
    })
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`))
    return page
  }
  return {
    browser, newPage, page: await newPage(),
    /** What went wrong since the last call, except what a test provoked on purpose. */
    complaints(except = []) {
      const found = complaints.splice(0).filter((text) => !except.some((pattern) => pattern.test(text)))
      return found
    },
  }
}

/** The accessibility violations of the page as it stands. */
export async function axe(page) {
  // Through the debugger, not as a script element: the policy of the page must stay as it is.
  await page.evaluate(axeSource)
  return await page.evaluate(async () => {
    const result = await globalThis.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })
    return result.violations.map((v) => `${v.id} (${v.nodes.length}): ${v.help}; ${v.nodes.slice(0, 2).map((n) => `${n.target.join(' ')} ${n.failureSummary?.split('\n')[1]?.trim() ?? ''}`).join(' | ')}`)
  })
}

export async function setTheme(page, theme) {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
  await page.evaluate((name) => {
    localStorage.setItem('z4j.theme', name)
    document.documentElement.classList.toggle('dark', name === 'dark')
  }, theme)
  await page.waitForTimeout(80)
}
