// What <face-video> looks like: its markup and its styles.

const path = (/** @type {string} */ d) => `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${d}"/></svg>`;

export const ICONS = {
  play: path("M8 5.5v13l11-6.5z"),
  pause: path("M7 5h3.6v14H7zm6.4 0H17v14h-3.6z"),
  loud: path("M4 9.5v5h3.5L12 19V5L7.500 9.500zM15 8.600a4.500 4.500 0 0 1 0 6.800zM15 5.300v2a5.700 5.700 0 0 1 0 9.400v2a7.600 7.600 0 0 0 0-13.400z"),
  muted: path("M4 9.500v5h3.500L12 19V5L7.500 9.500zM20.500 9.400l-1.400-1.400-2.100 2.100-2.100-2.100-1.400 1.400 2.100 2.100-2.100 2.100 1.400 1.400 2.100-2.100 2.100 2.100 1.400-1.400-2.100-2.100z"),
  full: path("M5 5h6v2H7v4H5zm8 0h6v6h-2V7h-4zM5 13h2v4h4v2H5zm12 0h2v6h-6v-2h4z"),
};

export const MARKUP = `
<div class="stage" part="stage">
  <img class="poster" alt="" hidden>
  <canvas width="256" height="256" role="img" aria-label="talking head"></canvas>
  <div class="veil" hidden><div class="bar"><i></i></div><p role="status"></p></div>
  <button class="big" type="button" aria-label="Play" hidden>${ICONS.play}</button>
  <div class="chrome" hidden>
    <div class="seek"><div class="drawn"></div><input type="range" min="0" max="1000" value="0" aria-label="Seek"></div>
    <div class="row">
      <button class="toggle" type="button" aria-label="Play">${ICONS.play}</button>
      <span class="time"><b>0:00</b> / <span>0:00</span></span>
      <span class="stats" title="frames drawn a second, and the stream's rate"></span>
      <button class="mute" type="button" aria-label="Mute" hidden>${ICONS.loud}</button>
      <button class="screen" type="button" aria-label="Full screen">${ICONS.full}</button>
    </div>
  </div>
</div>`;

export const STYLE = `
:host { display: block; position: relative; aspect-ratio: 1; background: #0b0d10; color: #fff; overflow: hidden;
  font: 500 13px/1.3 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; outline: none; }
:host([hidden]) { display: none; }
:host(:focus-visible) { box-shadow: 0 0 0 3px var(--face-video-accent, #3aa99f); }
:host(:fullscreen) { aspect-ratio: auto; width: 100vw; height: 100vh; background: #000; border-radius: 0; }
[hidden] { display: none !important; }
.stage { position: absolute; inset: 0; display: grid; place-items: center; container-type: inline-size; }
canvas, .poster { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; display: block; }
canvas { opacity: 0; }
.painted canvas { opacity: 1; }
.veil { position: absolute; left: 0; right: 0; top: 0; padding: 12px 16px 20px; text-shadow: 0 1px 2px #000a;
  background: linear-gradient(#000a, #0000); pointer-events: none; }
.veil p { margin: 8px 0 0; }
.bar { height: 3px; border-radius: 3px; background: #fff4; overflow: hidden; }
.bar i { display: block; height: 100%; width: 0; background: #fff; transition: width .15s linear; }
button { all: unset; box-sizing: border-box; cursor: pointer; display: grid; place-items: center; width: 34px; height: 34px;
  border-radius: 8px; flex: none; }
button:hover { background: #fff2; }
button:focus-visible, input:focus-visible { outline: 2px solid #fff; outline-offset: -2px; }
svg { width: 22px; height: 22px; fill: currentColor; }
.big { position: relative; width: 76px; height: 76px; border-radius: 50%; background: #0009; backdrop-filter: blur(6px);
  transition: transform .15s; }
.big:hover { background: #000b; transform: scale(1.05); }
.big svg { width: 38px; height: 38px; }
.chrome { position: absolute; left: 0; right: 0; bottom: 0; padding: 28px 10px 8px; opacity: 1; transition: opacity .25s;
  background: linear-gradient(#0000, #000b); text-shadow: 0 1px 2px #0008; }
.quiet .chrome { opacity: 0; }
.quiet { cursor: none; }
.row { display: flex; align-items: center; gap: 4px; }
.time { font-variant-numeric: tabular-nums; margin-left: 4px; white-space: nowrap; }
.time b { font-weight: 600; }
.stats { margin-left: auto; padding: 0 8px; opacity: .8; font-variant-numeric: tabular-nums; white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; }
.seek { position: relative; height: 18px; margin: 0 6px; }
.drawn { position: absolute; left: 0; right: 0; top: 7px; height: 4px; border-radius: 4px; background: #fff3; overflow: hidden;
  background-repeat: no-repeat; }
input[type=range] { -webkit-appearance: none; appearance: none; position: absolute; inset: 0; width: 100%; height: 18px; margin: 0;
  background: none; cursor: pointer; }
input::-webkit-slider-runnable-track { height: 4px; border-radius: 4px; background: linear-gradient(#fff, #fff) 0 0 / var(--at, 0%) 100% no-repeat; }
input::-webkit-slider-thumb { -webkit-appearance: none; width: 14px; height: 14px; margin-top: -5px; border-radius: 50%; background: #fff; }
input::-moz-range-track { height: 4px; border-radius: 4px; background: none; }
input::-moz-range-progress { height: 4px; border-radius: 4px; background: #fff; }
input::-moz-range-thumb { width: 14px; height: 14px; border: 0; border-radius: 50%; background: #fff; }
@container (max-width: 330px) { .stats { display: none; } .mute { margin-left: auto; } }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
