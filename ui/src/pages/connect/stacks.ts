// How each stack is connected. The four variables are the same for all of them.
export interface Stack { key: string; name: string; install: string; code: { file: string; text: string } | null; start: string; note?: string }

const bare = (engine: string, adapter: string, make: string, rest = '') =>
  `from z4j_bare import install_agent\nfrom z4j_${engine} import ${adapter}\n\ninstall_agent(engines=[${make}])${rest}`

export const STACKS: Stack[] = [
  {
    key: 'celery', name: 'Celery', install: 'pip install z4j-celery',
    code: { file: 'celery_app.py', text: 'import z4j_celery  # starts the agent inside the worker' },
    start: 'celery -A celery_app worker -E',
    note: '-E makes the worker report its tasks. For retries, set a result backend and result_extended=True: the original arguments are read from there.',
  },
  {
    key: 'rq', name: 'RQ', install: 'pip install z4j-rq',
    code: { file: 'settings.py', text: 'from z4j_rq import register_worker_bootstrap\n\nregister_worker_bootstrap()' },
    start: 'rq worker -c settings --worker-class z4j_rq.worker.Worker default',
    note: 'Another Redis than localhost is named by Z4J_RQ_REDIS_URL.',
  },
  {
    key: 'dramatiq', name: 'Dramatiq', install: 'pip install z4j-dramatiq',
    code: { file: 'tasks.py, after the broker', text: bare('dramatiq', 'DramatiqEngineAdapter', 'DramatiqEngineAdapter(broker=broker)') },
    start: 'dramatiq tasks',
  },
  {
    key: 'huey', name: 'Huey', install: 'pip install z4j-huey',
    code: { file: 'tasks.py, after huey', text: bare('huey', 'HueyEngineAdapter', 'HueyEngineAdapter(huey=huey)') },
    start: 'huey_consumer tasks.huey',
  },
  {
    key: 'arq', name: 'arq', install: 'pip install z4j-arq',
    code: {
      file: 'worker.py, after WorkerSettings',
      text: 'from z4j_arq import ArqEngineAdapter, attach_to_worker_settings\nfrom z4j_bare import install_agent\n\nadapter = ArqEngineAdapter(\n    redis_settings=WorkerSettings.redis_settings,\n    function_names=[f.__qualname__ for f in WorkerSettings.functions],\n)\ninstall_agent(engines=[adapter])\nattach_to_worker_settings(WorkerSettings, adapter=adapter)',
    },
    start: 'arq worker.WorkerSettings',
    note: 'Completion is read from the stored result, so keep_result must be above 0.',
  },
  {
    key: 'taskiq', name: 'TaskIQ', install: 'pip install z4j-taskiq',
    code: {
      file: 'broker.py, after the broker',
      text: 'from z4j_bare import install_agent\nfrom z4j_taskiq import TaskiqEngineAdapter, attach_to_broker\n\nadapter = TaskiqEngineAdapter(broker=broker)\ninstall_agent(engines=[adapter])\nattach_to_broker(broker, adapter=adapter)',
    },
    start: 'taskiq worker broker:broker',
  },
  {
    key: 'django', name: 'Django', install: 'pip install z4j-django z4j-celery',
    code: { file: 'settings.py', text: 'INSTALLED_APPS = [\n    # …\n    "z4j_django",\n]' },
    start: 'celery -A project worker -E',
    note: 'With another engine, install its package instead of z4j-celery.',
  },
  {
    key: 'fastapi', name: 'FastAPI', install: 'pip install z4j-fastapi z4j-celery',
    code: { file: 'main.py', text: 'from fastapi import FastAPI\nfrom z4j_fastapi import z4j_lifespan\n\napp = FastAPI(lifespan=z4j_lifespan(celery_app=celery_app))' },
    start: 'celery -A celery_app worker -E',
    note: 'The web process and the worker both need the variables; tasks run in the worker.',
  },
  {
    key: 'rust', name: 'Rust', install: 'cargo add z4j-agent',
    code: {
      file: 'main.rs',
      text: 'let credential = Credential::new(token, project_id, hmac_secret);\nlet agent = Agent::builder(brain_url, credential)\n    .with_engine(engine)\n    .build()?\n    .spawn();',
    },
    start: 'cargo run --release',
    note: 'The library reads no environment: pass the four values from your own configuration.',
  },
]

export interface Credentials { url: string; token: string; project: string; secret: string }

export function envLines({ url, token, project, secret }: Credentials): string {
  return [`Z4J_BRAIN_URL=${url}`, `Z4J_TOKEN=${token}`, `Z4J_PROJECT_ID=${project}`, `Z4J_HMAC_SECRET=${secret}`].join('\n')
}

export const exportLines = (credentials: Credentials): string =>
  envLines(credentials).split('\n').map((line) => `export ${line}`).join('\n')
