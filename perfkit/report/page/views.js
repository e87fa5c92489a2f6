// Several views of the same: one at a time. Without this script all of them stand below each other.
for (const block of document.querySelectorAll(".switch")) {
  const views = [...block.querySelectorAll(":scope > .view")];
  const bar = block.querySelector(":scope > .choices");

  const choose = (chosen) => {
    views.forEach((view, index) => view.classList.toggle("off", index !== chosen));
    [...bar.children].forEach((b, index) => b.setAttribute("aria-pressed", String(index === chosen)));
  };

  views.forEach((view, index) => {
    const title = view.querySelector(".view-title");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title.textContent;
    button.addEventListener("click", () => choose(index));
    bar.append(button);
    title.classList.add("unseen");
    view.addEventListener("reveal", () => choose(index));
  });
  bar.hidden = false;
  choose(0);
}
