// What a reader would complain of in the outputs of a notebook's page, in JupyterLab or in nbconvert's HTML.
() => {
  const areas = [...document.querySelectorAll('.jp-OutputArea-child .jp-OutputArea-output')];
  const say = (element) => (element.textContent || element.outerHTML).trim().slice(0, 80);
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== 'hidden';
  };
  const empty = areas.filter((area) => {
    const box = area.getBoundingClientRect();
    const picture = [...area.querySelectorAll('img, svg, canvas')].some(shown);
    return box.height < 8 || box.width < 8 || !(area.innerText.trim() || picture);
  });
  const broken = areas.flatMap((area) =>
    [...area.querySelectorAll('img')].filter((image) => shown(image) && !image.naturalWidth));

  // Cut off: content wider or taller than a box that clips it and cannot be scrolled.
  const cut = areas.flatMap((area) => [area, ...area.querySelectorAll('*')].filter((element) => {
    if (!shown(element)) return false;
    const style = getComputedStyle(element);
    const clips = (overflow) => overflow === 'hidden' || overflow === 'clip';
    return (clips(style.overflowX) && element.scrollWidth > element.clientWidth + 1 && element.clientWidth)
      || (clips(style.overflowY) && element.scrollHeight > element.clientHeight + 1 && element.clientHeight);
  }));

  const rgb = (color) => {
    const parts = (color.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    return { r: parts[0], g: parts[1], b: parts[2], a: parts.length > 3 ? parts[3] : 1 };
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const c = value / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.a > 0.5) return color;
    }
    return { r: 255, g: 255, b: 255, a: 1 };
  };
  const opacity = (element) => {
    let share = 1;
    for (let at = element; at; at = at.parentElement) share *= Number(getComputedStyle(at).opacity);
    return share;
  };
  const blended = (color, below, share) => ({
    r: share * color.r + (1 - share) * below.r,
    g: share * color.g + (1 - share) * below.g,
    b: share * color.b + (1 - share) * below.b,
  });
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const faint = areas.flatMap((area) => [...area.querySelectorAll('*')].filter((element) => {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !shown(element)) return false;
    const color = rgb(getComputedStyle(element).color), below = background(element);
    // The colors of a terminal are those of the page: nbconvert's red is lighter.
    const least = element.closest('[class*=ansi-]') ? 3 : 4.5;
    return contrast(blended(color, below, color.a * opacity(element)), below) < least;
  }));

  const page = document.querySelector('.jp-NotebookPanel-notebook, .jp-Notebook, body');
  return {
    outputs: areas.length,
    empty: empty.map(say),
    broken: broken.map(say),
    cut: cut.map(say),
    faint: [...new Set(faint.map(say))],
    dark: luminance(background(page)) < 0.2,
  };
}
