// Walks the dashboard as a person would, against any brain: set-up, sign-in, an agent, its first
// task, a failed one, a retry; then looks at every page in both themes and three widths.
//   node e2e/walk.mjs --base URL --setup-url URL --out DIR [--wait SECONDS] [--email E --password P]
// After the agent is minted it prints one line `CREDENTIALS {json}`; whoever started the walk starts
// a worker with them, one that runs tasks of which some fail. The last line is `N passed, N failed`.
import { join } from 'node:path'
import { browser, button, byAction, check, expect, Fatal, isAccessible, lookAt, newPage, page, tally } from './checks.mjs'
import { base, EMAIL, HOME, out, PASSWORD, setupUrl, SIGNED_OUT, WAIT_MS } from './options.mjs'

async function setUp() {
  if (!setupUrl) return
  await check('the set-up page opens', async () => {
    await page.goto(setupUrl)
    await page.getByLabel('E-mail').waitFor()
  }, { fatal: true })
  await lookAt('setup')
  await check('a password that is too short is refused in words', async () => {
    await page.getByLabel('E-mail').fill(EMAIL)
    await page.getByLabel('Your name (optional)').fill('Ada')
    await page.getByLabel('Password', { exact: true }).fill('short')
    await page.getByLabel('Password again').fill('short')
    await button('Create the administrator').click()
    await page.getByText('At least 12 characters.', { exact: true }).waitFor()
  })
  await check('set-up makes the administrator and opens the project', async () => {
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await page.getByLabel('Password again').fill(PASSWORD)
    await button('Create the administrator').click()
    await page.waitForURL(`**${HOME}`)
  }, { fatal: true })
  await check('signing out leads to sign-in', async () => {
    await button('Account').click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.waitForURL('**/login*')
  }, { except: SIGNED_OUT })
}

async function signIn() {
  await check('a page asked for without a session leads to sign-in', async () => {
    await page.goto(`${base}${HOME}/agents`)
    await page.getByLabel('E-mail').waitFor()
  }, { except: SIGNED_OUT, fatal: true })
  await lookAt('login')
  await check('a wrong password is refused in words', async () => {
    await page.getByLabel('E-mail').fill(EMAIL)
    await page.getByLabel('Password', { exact: true }).fill('not the password at all')
    await button('Sign in').click()
    await page.getByRole('alert').getByText('E-mail or password is wrong.').waitFor()
  }, { except: SIGNED_OUT })
  await check('the right password leads to the page that was asked for', async () => {
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await button('Sign in').click()
    await page.waitForURL(`**${HOME}/agents`)
    await page.getByRole('heading', { name: 'Agents', level: 1 }).waitFor()
    expect((await page.title()).startsWith('Agents'), `the title is ${await page.title()}`)
  }, { fatal: true })
  await check('the live connection opens', async () => {
    await page.locator('[data-live="live"]').waitFor()
  })
}

async function connectWorker() {
  await check('the first visit shows how to connect a worker', async () => {
    await page.goto(`${base}${HOME}`)
    await page.getByRole('heading', { name: 'Connect your first worker' }).waitFor()
  }, { fatal: true })
  await lookAt('first-run')
  await check('an agent is minted and its credentials are shown', async () => {
    const name = page.locator('[data-form="mint"] input')
    await name.fill('walk-worker')
    await button('Create agent').click()
    await page.locator('[data-step="1"][data-done="true"]').waitFor()
    const lines = (await page.locator('[data-snippet="credentials"]').innerText()).trim().split('\n')
    const env = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
    expect(env.Z4J_TOKEN && env.Z4J_HMAC_SECRET, 'a secret is missing')
    console.log(`CREDENTIALS ${JSON.stringify({ brain_url: env.Z4J_BRAIN_URL, token: env.Z4J_TOKEN, project_id: env.Z4J_PROJECT_ID, hmac_secret: env.Z4J_HMAC_SECRET })}`)
  }, { fatal: true })
  await lookAt('minted')
  await check('every stack has its own copy-paste', async () => {
    for (const name of ['RQ', 'Dramatiq', 'Huey', 'arq', 'TaskIQ', 'Django', 'FastAPI', 'Rust', 'Celery']) {
      const tab = page.getByRole('tab', { name, exact: true })
      // An agent that connects meanwhile takes the tabs away: the step is done.
      if (!(await tab.isVisible())) return
      await tab.click({ timeout: 2_000 }).catch(() => undefined)
    }
  })
  await check('the step turns green by itself when the agent connects', async () => {
    await page.locator('[data-step="2"][data-done="true"]').waitFor({ timeout: WAIT_MS })
  }, { fatal: true })
  await check('the step turns green by itself when the first task arrives', async () => {
    await page.locator('[data-step="3"][data-done="true"]').waitFor({ timeout: WAIT_MS })
  }, { fatal: true })
}

async function leaveFirstRun() {
  await lookAt('connected')
  await check('the overview follows', async () => {
    await button('Go to the overview').click()
    await page.locator('[data-verdict]').waitFor()
    await page.locator('[data-chart] canvas').first().waitFor()
  })
}

async function watchTasks() {
  await page.goto(`${base}${HOME}/tasks`)
  await check('a task appears in the list without a reload', async () => {
    await page.mouse.move(700, 5)
    await page.locator('[data-task]').first().waitFor({ timeout: WAIT_MS })
    const before = new Set(await taskIds())
    await page.waitForFunction((known) => [...document.querySelectorAll('[data-task]')].some((row) => !known.includes(row.dataset.task)), [...before], { timeout: WAIT_MS })
  })
  await check('rows stand still under the pointer and new ones wait', async () => {
    await page.mouse.move(700, 300)
    await page.waitForTimeout(300)
    const before = await taskIds()
    await page.locator('[data-fresh]').waitFor({ timeout: WAIT_MS })
    const after = await taskIds()
    expect(before.slice(0, 5).join() === after.slice(0, 5).join(), 'the first rows moved')
    await page.locator('[data-fresh]').click()
    expect((await taskIds())[0] !== before[0], 'the waiting rows did not come in')
    await page.mouse.move(700, 5)
  })
  await check('a filter typed into the search becomes a chip and a URL', async () => {
    await page.keyboard.press('/')
    await page.keyboard.type('state:failure')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Enter')
    await page.waitForURL('**state=failure*')
    await button('Remove filter state failure').waitFor()
  })
  await check('a wrong filter says what is wrong', async () => {
    await page.getByRole('combobox', { name: 'Search tasks' }).fill('colour:red')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('is not a filter').waitFor()
    await page.getByRole('combobox', { name: 'Search tasks' }).fill('')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
  })
  await check('a failed task is in the list and opens by keyboard', async () => {
    await page.locator('[data-task]').first().waitFor({ timeout: WAIT_MS })
    await page.locator('h1').first().click({ force: true, position: { x: 0, y: 0 } }).catch(() => undefined)
    await page.evaluate(() => document.activeElement?.blur())
    await page.keyboard.press('j')
    await page.locator('[data-cursor]').waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/tasks\/[^/]+\/[^/]+$/)
    await page.locator('[data-state="failure"]').waitFor()
  }, { fatal: true })
}
const taskIds = () => page.locator('[data-task]').evaluateAll((rows) => rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((row) => row.dataset.task))

async function retryTask() {
  const original = page.url()
  const originalId = decodeURIComponent(original.split('/').pop())
  await check('the failed task shows its error and its arguments', async () => {
    await page.getByRole('heading', { name: 'Error' }).waitFor()
    await page.getByRole('heading', { name: 'Arguments' }).waitFor()
  })
  await lookAt('task-failed')
  await check('a finished task cannot be cancelled, and the page says why', async () => {
    expect(await byAction('cancel').isDisabled(), 'the button is enabled')
    await page.getByText('Already ended as failure').waitFor()
  })
  await check('retry says what it will do before it does it', async () => {
    await byAction('retry').click()
    await page.getByRole('dialog').getByText('sends the task again').waitFor()
  }, { fatal: true })
  await lookAt('retry-dialog')
  await check('the retry goes from sent to confirmed by the engine', async () => {
    await page.locator('[role="dialog"] [data-confirm]').click()
    await page.locator('[role="dialog"] [data-status="completed"]').waitFor({ timeout: WAIT_MS })
  }, { fatal: true })
  await check('the retry links to the task it made', async () => {
    await page.locator('[role="dialog"] [data-new-task]').click()
    await page.waitForURL((url) => !url.href.endsWith(encodeURIComponent(originalId)) && /\/tasks\/[^/]+\/[^/]+$/.test(url.pathname))
    // The task may be known to the engine before its first event is known to the brain.
    await page.locator('[data-relative="retryOf"]').getByText(originalId).waitFor({ timeout: WAIT_MS })
  }, { except: [/status of 404/] })
  await lookAt('task-retried')
  await check('the original links to its retry', async () => {
    await page.goto(original)
    await page.locator('[data-relative="retriedAs"] a').waitFor({ timeout: WAIT_MS })
  })
}

async function overviewCharts() {
  await page.goto(`${base}${HOME}`)
  const over = page.locator('[data-chart] .u-over').first()
  await check('a click on a bar opens the tasks behind it', async () => {
    await over.waitFor()
    await page.waitForTimeout(500)
    const box = await over.boundingBox()
    await page.mouse.move(box.x + box.width - 12, box.y + box.height - 10)
    await page.mouse.click(box.x + box.width - 12, box.y + box.height - 10)
    await page.waitForURL(/\/tasks\?.*from=.*to=/)
    await page.locator('[data-task]').first().waitFor()
  })
  await check('a drag across a chart sets the range of the page', async () => {
    await page.goto(`${base}${HOME}`)
    await over.waitFor()
    await page.waitForTimeout(500)
    const box = await over.boundingBox()
    await page.mouse.move(box.x + box.width * 0.6, box.y + 40)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.98, box.y + 40, { steps: 8 })
    await page.mouse.up()
    await page.waitForURL(/from=.*to=/)
    await page.locator('[data-verdict]').waitFor()
  })
  await lookAt('overview-zoomed')
  await check('a chart has a table', async () => {
    await button('Table').first().click()
    await page.getByRole('columnheader', { name: 'Time' }).waitFor()
    await isAccessible()
  })
}

async function selectionAndCut() {
  await page.goto(`${base}${HOME}/tasks?state=success&state=failure`)
  await check('rows are selected by keyboard and the scope is said in words', async () => {
    await page.locator('[data-task]').first().waitFor()
    for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key)
    await page.getByText('2 tasks selected on this page').waitFor()
    await page.keyboard.press('r')
    await page.getByRole('dialog', { name: 'Retry 2 tasks' }).waitFor()
    await isAccessible()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
  })
  await check('a cut stream is said at once, and stale after a while', async () => {
    await page.context().setOffline(true)
    try {
      await page.locator('[data-live="stale"]').waitFor({ timeout: 60_000 })
      await page.screenshot({ path: join(out, 'stale-1440-light.png') })
    } finally {
      await page.context().setOffline(false)
    }
    await page.locator('[data-live="live"]').waitFor({ timeout: 40_000 })
  }, { except: [/ERR_INTERNET_DISCONNECTED/, /ERR_NETWORK_CHANGED/] })
}

// What a worker reports of itself is its own affair: numbers with every digit, words without a gap.
async function withLongValues(route) {
  const response = await route.fetch()
  const worker = await response.json()
  Object.assign(worker.details, { user_cpu_seconds: 1.8133170000000001, [`setting_${'x'.repeat(80)}`]: 'y'.repeat(200) })
  return route.fulfill({ response, json: worker })
}

async function everyPage() {
  const pages = { overview: '', tasks: '/tasks', 'tasks-failed': '/tasks?state=failure&range=1h', workers: '/workers', queues: '/queues', agents: '/agents', commands: '/commands', audit: '/audit', connect: '/connect', nothing: '/nothing-here' }
  for (const [name, path] of Object.entries(pages)) {
    await check(`${name} opens`, async () => {
      await page.goto(`${base}${HOME}${path}`)
      await page.getByRole('heading', { level: 1 }).first().waitFor()
      await page.locator('.skeleton').first().waitFor({ state: 'detached' })
      await page.waitForTimeout(400)
    })
    await lookAt(name)
  }
  await page.route(/\/api\/.*\/workers\/[^/?]+$/, withLongValues)
  for (const [list, name] of [['/workers', 'worker'], ['/commands', 'command']]) {
    await check(`${name} opens from its list`, async () => {
      await page.goto(`${base}${HOME}${list}`)
      await page.locator('[data-row] a').first().click()
      await page.waitForURL(new RegExp(`${list}/[^/]+$`))
      await page.locator('.skeleton').first().waitFor({ state: 'detached' })
    })
    await lookAt(name)
  }
}

/** A page may load before React takes over what the shell shows; here it always does. */
async function lateTakeOver() {
  const late = await newPage(() => {
    const post = MessagePort.prototype.postMessage
    MessagePort.prototype.postMessage = function (...args) { setTimeout(() => post.apply(this, args), 100) }
  })
  for (const [name, path] of Object.entries({ overview: HOME, tasks: `${HOME}/tasks`, nothing: '/nothing/here' })) {
    await check(`${name} opens before React has taken over the page`, async () => {
      for (let visit = 0; visit < 2; visit += 1) {
        await late.goto(`${base}${path}`)
        await late.getByRole('heading', { level: 1 }).first().waitFor()
      }
    }, { on: late })
  }
  await late.close()
}

async function frame() {
  await page.goto(`${base}${HOME}`)
  await page.getByRole('heading', { level: 1 }).first().waitFor()
  await check('? opens the keyboard help and Escape closes it', async () => {
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await isAccessible()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })
  await check('the command palette goes to a page', async () => {
    await page.keyboard.press('Control+k')
    await page.getByPlaceholder('Page, or a task').fill('queu')
    await isAccessible()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    await page.waitForURL(/\/(queues|tasks)/)
  })
  await check('on a phone the rail is a drawer', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    await button('Open the menu').click()
    await page.getByRole('dialog').getByRole('link', { name: 'Workers' }).waitFor()
    await page.screenshot({ path: join(out, 'drawer-390-light.png') })
    await isAccessible()
    await page.getByRole('dialog').getByRole('link', { name: 'Workers' }).click()
    await page.waitForURL('**/workers')
    await page.setViewportSize({ width: 1440, height: 900 })
  })
  await check('an agent is revoked only after its name is typed', async () => {
    await page.goto(`${base}${HOME}/agents`)
    await byAction('mint').click()
    await page.locator('[role="dialog"] input').fill('walk-revoked')
    await button('Create agent').click()
    await page.locator('[role="dialog"] [data-snippet="credentials"]').waitFor()
    await page.locator('[role="dialog"] [data-confirm]').click()
    const card = page.locator('[data-agent]', { hasText: 'walk-revoked' })
    await card.locator('summary').click()
    await card.locator('[data-action="revoke"]').click()
    expect(await page.locator('[data-confirm]').isDisabled(), 'it can be revoked without typing')
    await page.getByRole('dialog').getByRole('textbox').fill('walk-revoked')
    await page.locator('[data-confirm]').click()
    await page.locator('[data-agent][data-state="revoked"]', { hasText: 'walk-revoked' }).waitFor()
  })
  await check('another project is as unknown as one that does not exist', async () => {
    await page.goto(`${base}/projects/not-mine`)
    await page.getByRole('heading', { name: 'Nothing here' }).waitFor()
  })
}

try {
  await setUp()
  await signIn()
  if (setupUrl) {
    await connectWorker()
    await leaveFirstRun()
  }
  await watchTasks()
  await retryTask()
  await overviewCharts()
  await selectionAndCut()
  await everyPage()
  await lateTakeOver()
  await frame()
} catch (error) {
  if (!(error instanceof Fatal)) {
    tally.failed += 1
    console.log(`FAIL  the walk stopped: ${error.stack}`)
  }
} finally {
  await browser.close()
}
if (tally.failures.length > 0) console.log(`failed: ${tally.failures.join('; ')}`)
console.log(`${tally.passed} passed, ${tally.failed} failed`)
process.exit(tally.failed === 0 ? 0 : 1)
