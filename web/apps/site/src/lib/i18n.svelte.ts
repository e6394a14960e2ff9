// The page's language: the words as a reactive value, so that a switch needs no reload.

// What validators refuse is worded once, beside the codes themselves, for the web and for the command line.
import refusals from "../../../../../crates/proof-of-view/refusals.json";
import { en, type Catalogue } from "../messages/en";
import { ko } from "../messages/ko";

export type Locale = "en" | "ko";

const CATALOGUES: Record<Locale, Catalogue> = { en, ko };
const REFUSALS: Readonly<Record<string, Record<Locale, Reason>>> = refusals;
const STORAGE_KEY = "chainflix.locale";

/** Why something was refused, in words of a viewer. */
export interface Reason {
  readonly happened: string;
  /** What to do; empty where what happened says it. */
  readonly advice: string;
}

class Language {
  locale = $state<Locale>(initialLocale());
  readonly m: Catalogue = $derived(CATALOGUES[this.locale]);

  choose(locale: Locale): void {
    this.locale = locale;
    localStorage.setItem(STORAGE_KEY, locale);
  }

  /** Words for a refusal's code; what the other side said where we have none. */
  reason(code: string, message?: string): Reason {
    return REFUSALS[code]?.[this.locale] ?? { happened: this.m.fault[code] ?? message ?? code, advice: "" };
  }

  /** The same in one text. */
  fault(code: string, message?: string): string {
    const { happened, advice } = this.reason(code, message);
    return advice ? `${happened} ${advice}` : happened;
  }
}

function initialLocale(): Locale {
  const stored = localStorage.getItem(STORAGE_KEY);
  if (stored === "en" || stored === "ko") return stored;
  return navigator.language.startsWith("ko") ? "ko" : "en";
}

export const language = new Language();
