(
cd -P -- "$B/.bin" || exit
c=
for v in $(ls -1t | grep -x '@HASH@' | tail -n +@FIRST@); do
[ -z "$(find "./$v" -prune -mtime +@UNUSED@)" ] || c="$c $v"
done
[ "$c" ] || exit
u() {
for d in "$1"/*/*/; do
if [ -f "$d/script.sh" ] && ! [ -e "$d/result" ] && [ "$(find "$d" -maxdepth 1 ! -mtime +@SILENT@ | head -n 1)" ]; then
grep -o '/\.bin/@HASH@' "$d/script.sh"
fi
[ ! -d "$d/tasks" ] || (u "$d/tasks")
done
}
n=$(u "$B")
for v in $c; do
case $n in *"/.bin/$v"*) continue;; esac
mv "$v" ".going-$v-$$" || continue
if [ -z "$(find "./.going-$v-$$" -prune -mtime +@UNUSED@)" ] && ! [ -e "$v" ]; then
mv ".going-$v-$$" "$v"
continue
fi
rm -rf "./.going-$v-$$"
done
) >/dev/null 2>&1 </dev/null &
