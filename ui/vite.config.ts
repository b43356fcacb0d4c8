import tailwindcss from '@tailwindcss/vite'
import { tanstackStart } from '@tanstack/react-start/plugin/vite'
import viteReact from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  resolve: { tsconfigPaths: true },
  // No data: URLs, so that the content security policy can stay simple.
  build: { assetsInlineLimit: 0 },
  // Files find each other from where they are, so that one build works below any path. The shell,
  // which is rendered without knowing its address, links them from the root; the brain adds the rest.
  experimental: { renderBuiltUrl: (_file, { ssr }) => (ssr ? undefined : { relative: true }) },
  // `npm run dev` talks to the mock, or to any brain named by Z4J_DEV_BRAIN.
  server: {
    proxy: { '/api': process.env.Z4J_DEV_BRAIN ?? 'http://127.0.0.1:7799' },
  },
  plugins: [
    tailwindcss(),
    tanstackStart({
      spa: { enabled: true, maskPath: '/', prerender: { outputPath: '/index.html', crawlLinks: false } },
      prerender: { autoStaticPathsDiscovery: false },
    }),
    viteReact(),
  ],
})
