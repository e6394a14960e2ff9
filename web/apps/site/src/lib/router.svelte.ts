// Which page is shown: the address bar is the state, plain links change it.

export type Route =
  | { readonly page: "films" }
  | { readonly page: "film"; readonly magnet: `0x${string}` }
  | { readonly page: "wallet" }
  | { readonly page: "network" }
  | { readonly page: "unknown" };

class Router {
  path = $state(location.pathname);
  readonly route: Route = $derived(parse(this.path));

  constructor() {
    addEventListener("popstate", () => (this.path = location.pathname));
    document.addEventListener("click", (event) => this.#follow(event));
  }

  go(path: string): void {
    if (path === this.path) return;
    history.pushState(null, "", path);
    this.path = path;
    scrollTo(0, 0);
  }

  /** Links of ours need no reload, unless the viewer wants a new window. */
  #follow(event: MouseEvent): void {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || event.defaultPrevented || link.target || link.origin !== location.origin || link.hash) return;
    event.preventDefault();
    this.go(link.pathname);
  }
}

function parse(path: string): Route {
  const [first = "", second = "", ...rest] = path.split("/").slice(1);
  if (first === "" && second === "") return { page: "films" };
  if (first === "film" && rest.length === 0 && /^0x[0-9a-f]{64}$/.test(second)) return { page: "film", magnet: second as `0x${string}` };
  if (first === "wallet" && second === "") return { page: "wallet" };
  if (first === "network" && second === "") return { page: "network" };
  return { page: "unknown" };
}

export const router = new Router();
