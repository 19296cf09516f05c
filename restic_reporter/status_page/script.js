"use strict";
// The pages work without this. It filters while you type, and keeps what is shown up to date.
{
  const every = 60000;
  const pause = 200;
  const form = document.querySelector("form.filter");
  const parts = () => document.querySelectorAll("[data-live]");
  let loading = null;
  let typing = 0;

  const load = async (address) => {
    loading?.abort();
    loading = new AbortController();
    try {
      const answer = await fetch(address, { signal: loading.signal });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      for (const part of parts()) {
        const other = fresh.getElementById(part.id);
        if (other && other.innerHTML !== part.innerHTML) part.replaceChildren(...other.childNodes);
      }
      document.documentElement.dataset.loaded = address;
    } catch (error) {
      if (error.name !== "AbortError") console.warn(error);
    }
  };

  if (form) {
    const apply = () => {
      const given = [...new FormData(form)].filter(([, value]) => value && value !== "state");
      const query = new URLSearchParams(given).toString();
      const page = form.getAttribute("action");
      const address = query ? `${page}?${query}` : page;
      history.replaceState(null, "", address);
      load(address);
    };
    form.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(apply, pause);
    });
  }

  setInterval(() => {
    // Not under the hands of somebody: what has the focus or is selected would be lost.
    const busy = [...parts()].some((part) => part.contains(document.activeElement));
    if (!document.hidden && !busy && getSelection().isCollapsed) load(location.href);
  }, every);
}
