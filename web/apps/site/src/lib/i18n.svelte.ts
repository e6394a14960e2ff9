// The page's language: the words as a reactive value, so that a switch needs no reload.

import { en, type Catalogue } from "../messages/en";
import { ko } from "../messages/ko";

export type Locale = "en" | "ko";

const CATALOGUES: Record<Locale, Catalogue> = { en, ko };
const STORAGE_KEY = "chainflix.locale";

class Language {
  locale = $state<Locale>(initialLocale());
  readonly m: Catalogue = $derived(CATALOGUES[this.locale]);

  choose(locale: Locale): void {
    this.locale = locale;
    localStorage.setItem(STORAGE_KEY, locale);
  }

  /** Words for a refusal's code; what the other side said where we have none. */
  fault(code: string, message?: string): string {
    return this.m.fault[code] ?? message ?? code;
  }
}

function initialLocale(): Locale {
  const stored = localStorage.getItem(STORAGE_KEY);
  if (stored === "en" || stored === "ko") return stored;
  return navigator.language.startsWith("ko") ? "ko" : "en";
}

export const language = new Language();
