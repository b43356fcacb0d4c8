// Runs before the first paint: no flash of the wrong theme.
;(function () {
  var choice = null
  try {
    choice = localStorage.getItem('z4j.theme')
  } catch (_) {
    choice = null
  }
  var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.toggle('dark', dark)
})()
