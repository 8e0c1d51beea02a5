// JupyterLab takes the keys of everything that has the focus and is not a text field for its own commands:
// Arrow Down in a list would select the next cell, "d d" on a button delete one. It leaves out elements with
// this attribute, which has to be on the element itself.
const OWN = "data-lm-suppress-shortcuts";

export default {
  render({ model, el }) {
    el.style.display = "none";
    const keep = (event) => event.target.setAttribute(OWN, "true");
    let owner = null;
    let frame = 0;
    const attach = () => {
      owner = el.closest(`.${model.get("owner")}`);
      if (owner) owner.addEventListener("focusin", keep);
      else frame = requestAnimationFrame(attach); // not on the page yet
    };
    attach();
    return () => {
      cancelAnimationFrame(frame);
      if (owner) owner.removeEventListener("focusin", keep);
    };
  },
};
