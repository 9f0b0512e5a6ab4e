"""medrec-open: a patient's records without MedRec.

Lists records, grants and history from a recovery phrase; decrypts into a folder what is not there yet. It
needs nothing of the portal: Python 3.11 and `cryptography` 50 are enough. Source: docs/FORMAT.md.
"""

import argparse
import base64
import functools
import getpass
import hashlib
import io
import json
import lzma
import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke, keywrap
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Event = dict[str, Any]  # event, at, block, transaction, and its arguments: numbers, or bytes
# The first four bytes of each event's topic; the event's name and arguments, topics first.
TABLE = """
b4f0fc24 AccessDenied author request reason; 92099bcc AccessGivenUp patient author scope via serial;
f6a18628 AccessGranted author grantee scope via permissions notBefore expiry epoch envelopes request serial;
6b81a753 AccessRequested patient author request via nonce envelopes; db6470bb AccessRevoked author grantee
scope via serial; 2e08433c FolderNamed author folder name serial; 2c628ae2 FolderRekeyed author folder
fromEpoch toEpoch envelopes; 6b542714 KeyPublished author version key; c3308e04 KeysReplaced author signer
generation version key envelopes; 2cbfaadf RecordAdded patient author record via folder epoch flags nonce
content description secret; 094f2991 RecordClosed patient author record nonce reason; eb210792
RecordModified patient author record via folder epoch version flags content description secret; d32b5a99
RecoveryNamed author recovery serial; 05052796 RequestWithdrawn patient author request nonce; 7d751b88
SenderBlocked author sender blocked serial"""
EVENTS = dict(" ".join(one.split()).split(" ", 1) for one in TABLE.split(";"))
KEY_PUBLISHED = "0x6b5427145d7d40a284474acefa19903b2a98daccd948cafda1656a6b7c0d90cb"
ADDRESSES = ("author", "patient", "grantee", "via", "signer", "sender", "recovery")
NUMBERS = ("folder", "epoch", "version", "flags", "serial", "permissions", "expiry", "notBefore", "toEpoch")
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
Refused = ValueError  # something is not what it should be; the text says what


def hkdf(secret: bytes, name: str, *fields: bytes) -> bytes:
    """32 bytes for a label and its fields: HKDF-SHA256."""
    return HKDF(hashes.SHA256(), 32, None, b"".join((f"medrec/v1/{name}\0".encode(), *fields))).derive(secret)


def entropy_of(phrase: str) -> bytes:
    """The 32 bytes behind 24 words, each known by its first four letters (BIP-39): WORDS, LZMA, base 85."""
    known = lzma.decompress(base64.b85decode(WORDS)).decode().split()
    words = [word[:4] for word in phrase.lower().split()]
    if len(words) != 24 or not set(words) <= set(known):
        raise Refused("a phrase has 24 words of the BIP-39 list")
    number = functools.reduce(lambda so_far, word: so_far << 11 | known.index(word), words, 0)
    entropy = (number >> 8).to_bytes(32)
    if number & 0xFF != hashlib.sha256(entropy).digest()[0]:
        raise Refused("the words do not belong together: one is wrong, or the order is")
    return entropy


def fetch(url: str, body: bytes | None = None) -> BinaryIO:
    """The answer to a GET, or to a POST of JSON."""
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
        return cast(BinaryIO, urllib.request.urlopen(request, timeout=60))  # noqa: S310
    except (OSError, ValueError) as error:
        raise Refused(f"{url} does not answer: {error}") from error


def ask(node: str, method: str, *params: Any) -> Any:
    """The Ethereum node's answer to one request."""
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    given = json.loads(fetch(node, asked.encode()).read())
    if given.get("result") is None:
        raise Refused(f"the node refuses {method}: {given.get('error')}")
    return given["result"]


def events(node: str, contract: str, *topics: str | None) -> Iterator[Event]:
    """The contract's events with these topics, in order; fewer blocks at once where the node wants it so."""
    first, span, head = 0, 1 << 24, int(ask(node, "eth_blockNumber"), 16)
    while first <= head:
        blocks = {"fromBlock": hex(first), "toBlock": hex(min(first + span - 1, head))}
        try:
            logs = ask(node, "eth_getLogs", {"address": contract, "topics": topics} | blocks)
        except Refused:
            if (span := span // 2) == 0:
                raise
            continue
        yield from (decode(node, log) for log in logs if log["topics"][0][2:10] in EVENTS)
        first += span


def decode(node: str, log: dict[str, Any]) -> Event:
    """A log's arguments by name."""
    name, *fields = EVENTS[log["topics"][0][2:10]].split()
    data, block = bytes.fromhex(log["data"][2:]), log["blockNumber"]
    words = [bytes.fromhex(topic[2:]) for topic in log["topics"][1:]]
    words += [data[at : at + 32] for at in range(0, 32 * (len(fields) - len(words)), 32)]
    time = log.get("blockTimestamp") or ask(node, "eth_getBlockByNumber", block, False)["timestamp"]
    event: Event = {"event": name, "at": datetime.fromtimestamp(int(time, 16), UTC)}
    for field, word in zip(fields, words, strict=True):
        number = int.from_bytes(word)
        event[field] = word[12:] if field in ADDRESSES else number if field in NUMBERS else word
        if field in ("key", "secret"):  # of any length, at an offset
            event[field] = data[number + 32 :][: int.from_bytes(data[number : number + 32])]
    return event | {"block": int(block, 16), "transaction": log["transactionHash"]}


def open_content(store: str, digest: bytes, tree: int | None = None) -> BinaryIO:
    """A ciphertext by its CIDv1, raw or of a dag-pb tree; without `tree` a small one, checked against it."""
    binary = bytes((1, 0x70 if tree else 0x55, 0x12, 0x20)) + digest
    cid = "b" + base64.b32encode(binary).decode().lower().rstrip("=")
    if not store.startswith("http"):
        file: BinaryIO = (Path(store) / "objects" / digest[:1].hex() / cid).open("rb")
    else:
        try:
            file = fetch(f"{store}/api/v0/cat?arg={cid}", b"")
        except Refused:
            file = fetch(f"{store}/ipfs/{cid}")
    if tree is None:
        with file:
            file = io.BytesIO(file.read(1 << 20))
        if hashlib.sha256(file.getvalue()).digest() != digest:
            raise Refused(f"the store has other bytes for {cid}")
    return file


def open_mdr1(file: BinaryIO, key: bytes, role: int, record: bytes, salt: bytes = b"") -> Iterator[bytes]:
    """The plaintext of an MDR1 file: each chunk is verified, and only the end shows that none is missing."""
    header = file.read(70)
    both = HKDF(hashes.SHA256(), 64, salt or header[6:38], b"MDR1\1\1" + bytes((role,)) + record).derive(key)
    if header != b"MDR1\1\1" + (salt or header[6:38]) + both[32:]:
        raise Refused("not the file that the record describes")
    cipher, index, chunk = AESGCM(both[:32]), 0, file.read(65552)
    while chunk or not index:
        following = file.read(65552)
        yield cipher.decrypt(index.to_bytes(11) + bytes((not following,)), chunk, None)
        index, chunk = index + 1, following


class Account:
    """What the phrase opens of one account: 0 the patient's, 1 the practitioner's."""

    def __init__(self, phrase: str, account: int, node: str, contract: str, store: str) -> None:
        self.entropy, self.account, self.store = entropy_of(phrase), account.to_bytes(4), store.rstrip("/")
        words = bytes.fromhex(ask(node, "eth_call", {"to": contract, "data": "0x938b5f32"}, "latest")[2:])
        if len(words) != 64:
            raise Refused(f"there is no MedRec contract at {contract} on this chain")
        self.origin = words[:32] + words[44:]  # chain id and address of the first contract
        published, public = events(node, contract, KEY_PUBLISHED), self.sharing_key(1)[1]
        if (mine := next((one for one in published if one["key"] == public), None)) is None:
            raise Refused("no account of this contract has this phrase")
        self.address: bytes = mine["author"]
        self.events = list(events(node, contract, None, "0x" + self.address.hex().zfill(64)))

    @functools.cache  # noqa: B019  there is one account
    def folder_key(self, folder: int, epoch: int) -> bytes:
        """The key of a folder's epoch."""
        place = self.origin, (epoch >> 16).to_bytes(2), folder.to_bytes(2)
        secret = hkdf(hkdf(self.entropy, "folder-root", self.account), "folder-secret", *place)
        for _ in range(0xFFFF - (epoch & 0xFFFF)):
            secret = hashlib.sha256(b"medrec/v1/folder-step\0" + secret).digest()
        return hkdf(secret, "folder-key")

    def sharing_key(self, version: int) -> tuple[hpke.MLKEM768X25519PrivateKey, bytes]:
        """A version of the sharing key (of generation 0), and its published form."""
        seed = hkdf(self.entropy, "sharing-seed", self.account, version.to_bytes(8))
        seed = hashlib.shake_256(seed).digest(96)
        first = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed[:64])
        second = x25519.X25519PrivateKey.from_private_bytes(seed[64:])
        public = first.public_key().public_bytes_raw() + second.public_key().public_bytes_raw()
        return hpke.MLKEM768X25519PrivateKey(first, second), b"\1" + public

    def data_key(self, event: Event) -> bytes:
        """The data key: in the wrapped secret, or in the envelope that stands in its place."""
        secret, record = event["secret"], event["record"]
        if len(secret) == 40:
            key = hkdf(self.folder_key(event["folder"], event["epoch"]), "record-wrap", record)
            return keywrap.aes_key_unwrap(key, secret)
        rows = open_content(self.store, secret).read()[9:]
        for at in range(rows.find(self.address), len(rows), 84):
            info = b"medrec/v1/envelope\0" + self.origin + b"\6" + event["author"] + rows[at : at + 52]
            info += self.address + record + bytes(4)
            sealed = open_content(self.store, rows[at + 52 : at + 84]).read()[1:]
            for version in range(1, 1 + sum(one["event"] == "KeyPublished" for one in self.events)):
                with suppress(InvalidTag):
                    return SUITE.decrypt(sealed, self.sharing_key(version)[0], info=info)
        raise Refused("its key was sealed to nobody with this phrase")

    def folder_name(self, folder: int) -> str:
        """The patient's newest name for a folder."""
        named = [one for one in self.events if one["event"] == "FolderNamed" and one["folder"] == folder]
        with suppress(Exception):  # it may have none, or have lost it: that keeps no record from being saved
            sealed = open_content(self.store, max(named, key=lambda one: one["serial"])["name"]).read()
            key = hkdf(self.folder_key(folder, int.from_bytes(sealed[:4])), "folder-name")
            return AESGCM(key).decrypt(sealed[4:16], sealed[16:], sealed[:4]).rstrip(b"\0").decode()
        return {0: "Inbox", 1: "General"}.get(folder, f"Folder {folder}")

    def describe(self, event: Event) -> Event:
        """A version's description."""
        sealed = open_content(self.store, event["description"])
        described: Event = json.loads(b"".join(open_mdr1(sealed, self.data_key(event), 2, event["record"])))
        return described | {"title": str(described["title"])}

    def save_content(self, row: Event, out: Path) -> str:
        """A version's content is written into `out`: whole or not at all, over nothing. Its path there."""
        record, title = row["record"], f"{row['title'][:60]} {row['record'].hex()[:8]}"
        names = self.folder_name(row["folder"]), title, f"{row['version']} {row['file_name'][-60:]}"
        path = out.joinpath(*(re.sub(r"[^\w .()-]", "_", name).strip(" .") or "_" for name in names))
        key, salt = bytes.fromhex(row["content_key"]), bytes.fromhex(row["content_salt"])
        part = path if path.exists() else path.with_name(path.name + ".part")  # saved by an earlier run?
        try:
            if part != path:
                part.parent.mkdir(parents=True, exist_ok=True)
                content = open_content(self.store, row["content"], row["flags"] & 1)
                with content as file, part.open("wb") as target:
                    target.writelines(open_mdr1(file, key, 1, record, salt))
            with part.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != row["sha256"]:
                    raise Refused(f"{part} is not the content described")
            part.rename(path)
        finally:
            path.with_name(path.name + ".part").unlink(missing_ok=True)
        return str(path)

    def versions(self, out: Path | None) -> Iterator[Event]:
        """Every version, with what it holds or its problem. Filing and moving make none."""
        seen: dict[bytes, tuple[bytes, bytes]] = {}
        for event in (one for one in self.events if one["event"] in ("RecordAdded", "RecordModified")):
            files = event["content"], event["description"]
            if seen.get(event["record"]) != files:
                seen[event["record"]] = files
                event.setdefault("version", 1)
                row: Event = {"title": "?"} | event
                try:
                    row |= self.describe(event) | event  # what the chain says stands above its author's words
                    if out is not None:
                        row["saved"] = self.save_content(row, out)
                except Exception as error:  # whatever an author wrote keeps no other record from opening
                    row["problem"] = str(error) or "its bytes or its key were changed"
                yield row

    def grants(self) -> list[Event]:
        """The grants that nobody has ended: the highest serial of each place."""
        rows = sorted((one for one in self.events if "scope" in one), key=lambda one: one["serial"])
        latest = {(one.get("grantee", one["author"]), one["via"], one["scope"]): one for one in rows}
        return [one for one in latest.values() if one["event"] == "AccessGranted"]


def main() -> int:
    """Exit code 0; 1 when a version could not be opened, 2 when nothing could."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rpc", required=True, help="an Ethereum node")
    options.add_argument("--contract", required=True, help="the contract's address")
    options.add_argument("--store", required=True, help="the store's folder, an IPFS node or a gateway")
    options.add_argument("--out", type=Path, help="decrypt into this folder; without it, only list")
    options.add_argument("--account", type=int, default=0, help="0: the patient's, 1: the practitioner's")
    options.add_argument("--phrase-file", type=Path, help="a file with the 24 words; else they are asked for")
    given = options.parse_args()
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="replace")  # a title in another alphabet
    try:
        phrase = given.phrase_file.read_text() if given.phrase_file else getpass.getpass("Recovery phrase: ")
        account = Account(phrase, given.account, given.rpc, given.contract, given.store)
    except Exception as problem:
        options.exit(2, f"medrec-open: {problem}\n")
    print(f"Account 0x{account.address.hex()}\n\nRecords")
    rows, grants = [], account.grants()
    for row in account.versions(given.out):
        rows.append(row)
        words = f"folder {row['folder']}, {row['title']}, version {row['version']} {row.get('problem', '')}"
        print(f"  {row['at']:%Y-%m-%d}", re.sub(r"[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", "?", words))
    print("\nWho has access, to which scope, until when")
    for one in grants:
        ends = datetime.fromtimestamp(min(one["expiry"], 1 << 37), UTC)
        print(f"  0x{one['grantee'].hex()} {one['scope'].hex()} {ends}")
    print("\nHistory")
    for event in account.events:
        print(f"  {event['at']:%Y-%m-%d %H:%M} {event['event']} by 0x{event['author'].hex()}")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        index = {"records": rows, "grants": grants, "history": account.events}
        text = json.dumps(index, indent=1, default=lambda one: getattr(one, "hex", one.__str__)())
        (given.out / "medrec.json").write_text(text)
    return int(any("problem" in row for row in rows))


WORDS = "T>t<81poj4|NsC0{{S$Uh)S!>UP4wx9PJb!mAVep<a`<rE}c_?)O;3PJ<ec65o#%`t&|Jpdb3|4H<Y$Xi^Bmw@Z}Va4ps_@M|%IfH~?waTcwYJ^^(+3&o;?0?GsscznD${iShqPgE&A7FWG3rO3xwu7`$v*Asb%eKZS0OrL_ombW^@1cCn(Mp_SDE*lGKSwksG<HzT^7WY&Gm!v#a9Ankt<Do)3n^Z|KlfObU#tr|~~yk~h6)YInVfR9>;(BsdaG^y4r=#aAVVP=0Tj5{xnf#H^1Ahf{R&Cdg3LresVEn%eBf(55yf{iux|L_DT0!-;nXy@Ajh}KiGSBgD+C;G9l08Oktw*j&6UauoAu3*}}OapGHNofXZp&SD?EAyjSEJd-`@*Cd(<PA<-c1Rs>LR+Yr2w-~0^m=+?4H2F#4{W(i9XlwUNaFpzeiW#{G~Ph+>p25e2h_$yM;?Cx?)*rLUG$FDk1POG92fb*5(?jmOlA&6AQ_uERM7$u#6J}cw-L9=322;~A`b>-Jcrqb!F5`}0m~IuYePrZ{tM9%$F{S<J)KA)N<PVVKI?IDnr$%VYe>LC`$9w7j?FLb9rUn?cKwi{Nj%I*9%kO+&Am{uqbiJQFr@CuUA0(B9o&ON$18#()0QQ<@bXK18!Y*P9SJCOePc0BOf{W9JM(1PHJL4?42`kaG<hi(xr9YP2e45^KM|eF5<5LxfzfAbr~M$d;nKgG#=&sI7)&bF=2j<)d3o#GANlTbx9gZJfeW{@dWy(M4|;tICB?2yiy=w9xBVsTL3s|v3pmOs-et-+PaZnK&V(@yUfb4v%$l&dH3&AAZs6Bb=}2L~pcU)z(M+<OjM}zS9OgCQF)iHsZtRUt+UDADvVm8qZhYOF-DGvq2wd1Fu+{yxFbK3|(NVH8YC?z0S8d~{S<J(e15s*3O>Zv%w-iLC3VU1frEDSY)x4PpaL1k`XS#T0s7QulVr{4*uXiPWz2m)cV-zhJ23HuM*8Z4OgZBPrrlWw_Dg4Epm3qT%`Zrz5{^M|X)riC{wW6IZahHP?#f*NN`D(r*h4f=Ll!t_Z=?4z#sW}s!*+%1L>@VK~8AgR|bzBeVT&b|vCTk+<UFYEaqUT<7IoUn0p_3$=i^uFr3=H!B{JZ^WlsXfk#(Ooz<Z5KBO)k<W3|vxGb^D#8?R!>pl$wupmY;oel~IE~dPkM_RZ0h!H0A%@AM7Fhl5X%wB-T$|ai_NPrNm`moSi7I#G5NDW4C&dB3C_1wZcZrWNmjDaBxn`xj#CM7F8BIOr$}}C@IA650d@P*vNN<M$=3>!8R_9%bfF(96l9oEd@hLNKg>%LrEzO5E{{Yn4j{2evNO2p~aAScPT3+#%e?Kcb6(_{n<%-mP#EGAPGg6EK~Mcl$BdXQ-8})Oj$8gdw_^ghPiJ)y8mBYaU_Uo<M0`cY?ijWj;jSbAgc;J9cnOsp}o1;0?nrC8(?T@!y)u!p`N=u#d*DcA5!k}d?4N*5r#3Z3h$4$@MublF30VhXizh#Fg83x4YRT^iL8CSay90xfFX7QAUriNVS-bKynJsbL-Ck)_mgPd7JFNC<Jpa=I-ZL9Ytid(H$vbD8H1gLJVbq*dNtyE2+*vL#A&pE0PzC({}S&aA_b;cRV=msH6Xv>cj)!g<AKCq@|!#jsa<p#9G<QW%KWv!t4N<<IiBDacx)P^5!I*-Cs3KHv9vJ8xQ6~sWO@mh#p}qO=|Z}g5u{j`fpQ0hjX2I^7T11DOJ7Ur7_f4^!*WsGwKqr%cGWV^LI;#!(o#vsAbAAWbkrB}yj3?Sf*phGkrIkfmaoN^_K{jo&mw9H7dDZ#3C_ST=Q^C8!{(UAvf4X98#IlcjrB!IMl;x=`P-<vf-2odHiqk0aY6v(tsKdI)N!WMZN4omaouM1okYFMc7!=nu1K!!)|AnQXiZx@#8rR95??^u!_D&gyEkyOAJv(qq1Hu;x2Ss0GI@$9N}zrK<pDZ$xGwX<N(l8(p4g|JmL`t<!S{c*?S@`{P&Kt_eeT(z!hRnHGYn}|UI%{7X;kKgNn%L+8*8dXCB~x_z9|u{r45kaVrhe(G03pC{^#TBox!muoh9=UHm%ch|1@Cjow3Cl1VYtPy`!N9fI5)-12Sd`e8{f>^?SHIj%@VLRpUJ^x;2w{+;N`UIEklzhW_yedko|+D}x0tfW{hUnAmxt(+aW)c7VL~eky!Tt-8&-iv~N|8hso1a%|*^`>FC_uWB9LVNAx}n+IBA)m@}3CTObGs``*p&9B_0Rn!`Riuf5xD(rnM6`o2=rCgvniBN4*70CR>PDzDJGVfKG=Y6nN_L%+nMR4@qpk17*hC~?$>j{a0W<C))?ZGH2O*JXi6|d?N(rz9+AQT=9sQ%N1uw$1`?YEUsZ0jPoV(s62Es~4GANG{~a|p1HrBJSEO`RTVb)Fqob<+P8QB@wit5^<<lfvFk6TovqKG#W~){gw7j5@pdxVE=$r;=Epn*rLo0s1h@=m_he^*|6`KFy1Ok)3X67EFX3$0wqfV~C9qrnEmud_l$83~t`JgwOfQXgXl!u}c%TlN}Bc%#IbUl0>Dn&@Hp^VJfb9(2~EbucSKZ<uB!nRIah*{UioEB%23TN*??`RBnYIF+EWhcx-vMM{E>MGv|~%kR<sYStSO+&f)Kl^g!rf5@QtXm?S>0^7drDezr2IMZXLA@z1cd$D0!?)BQ@-02ir{Z-j%>E^(iJRiH`^Bz%ZYOeWPHl$3Ib4j(_oWS}+;=FSayJ1nk+z*J9qHP0eY!QiuFg{tH*^w8^ET<!{xW6vmq3p6P{%-$X`R3;VR7~wqDt@Z(HMZ_N&YU_0i=KvEaR2}$JKo9l)lVF)sE+RF9`))sLs2-2VwSmL%Wi5$)+!+He$K+Io;}I{W=%&03$s@QFc)7lc))-$~1F6g|#^<2k=Iug;fFhJ=(CrsH)YN3)q__o^w^&+3fN-+cb=aCm(iAZD@N(8@Et-fp=Wm0l68`+GRReh*;Fq~o(w3CWPsMOYvSp;(2;XzJ^s&Nz>-i!xUEP6RMkCubnE~*HbkOCj#)Um^)=Vd<=vTdpy<HhF!+`TSOq4yF3bUkR-Z+om?}ot#)}olW;1s>$kS7+7f~d`!#o)m>D#U*e3?{s#7U6*R)V?$Zj(ZrE*rsG1ywO@ZE74Cv9cSv!LK_H*c`h_J#PT97qM*3F1;SoOydOp(K`>xN5A^q5k%~FowN+qltl%%Nf%=mZAD{7m?k>&EB9<w32Yjf)%5Cm!Yt@E!*2_gV83$nrnx=29Fo$FkU8QbYS9x}?xwdtxPcP1MVjRU^yM(F`b8bG+dnjJ7|N8Z!zy"  # noqa: E501

if __name__ == "__main__":
    sys.exit(main())
