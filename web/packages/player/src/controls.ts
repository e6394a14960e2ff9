// Registers the media-chrome elements that the page uses, and no others: each is a file of its own.

import "media-chrome/dist/media-controller.js";
import "media-chrome/dist/media-control-bar.js";
import "media-chrome/dist/media-fullscreen-button.js";
import "media-chrome/dist/media-loading-indicator.js";
import "media-chrome/dist/media-mute-button.js";
import "media-chrome/dist/media-play-button.js";
import "media-chrome/dist/media-time-display.js";
import "media-chrome/dist/media-time-range.js";
import "media-chrome/dist/media-volume-range.js";
import { addTranslation, setLanguage } from "media-chrome/dist/utils/i18n.js";

// media-chrome has no Korean of its own.
addTranslation("ko", {
  "Enter fullscreen mode": "전체 화면",
  "Exit fullscreen mode": "전체 화면 끝내기",
  "enter fullscreen mode": "전체 화면",
  "exit fullscreen mode": "전체 화면 끝내기",
  Mute: "음소거",
  Unmute: "음소거 해제",
  mute: "음소거",
  unmute: "음소거 해제",
  Play: "재생",
  Pause: "일시 정지",
  play: "재생",
  pause: "일시 정지",
  "playback time": "재생 시간",
  "media loading": "불러오는 중",
  "video player": "영상 플레이어",
  volume: "음량",
  seek: "탐색",
});

/** Of controls that are made from now on. */
export function setControlsLanguage(language: string): void {
  setLanguage(language);
}
