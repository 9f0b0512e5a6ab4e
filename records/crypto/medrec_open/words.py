"""The words of recovery phrases (BIP-39, English), and what stands behind 24 of them."""

import base64
import functools
import hashlib
import lzma
import re

from .errors import Refused

PHRASE_WORDS = 24


@functools.cache
def word_list() -> list[str]:
    """The 2,048 words in their order."""
    return lzma.decompress(base64.b85decode(WORDS)).decode().split()


def entropy_of(phrase: str) -> bytes:
    """The 32 bytes behind 24 words. The first four letters of a word are enough. Raises Refused."""
    numbers = {word[:4]: number for number, word in enumerate(word_list())}
    words = [word[:4] for word in re.findall("[a-z]+", phrase.lower())]
    if len(words) != PHRASE_WORDS or not set(words) <= set(numbers):
        raise Refused("a phrase has 24 words of the BIP-39 list")
    number = functools.reduce(lambda before, word: before << 11 | numbers[word], words, 0)
    entropy = (number >> 8).to_bytes(32, "big")
    if number & 0xFF != hashlib.sha256(entropy).digest()[0]:
        raise Refused("the words do not belong together: one is wrong, or the order is")
    return entropy


def phrase_of(entropy: bytes) -> str:
    """The 24 words of 32 bytes, whole, one space between: what BIP-39 makes the signing key of."""
    bits = int.from_bytes(entropy + hashlib.sha256(entropy).digest()[:1], "big")
    return " ".join(word_list()[bits >> 11 * place & 2047] for place in reversed(range(PHRASE_WORDS)))


# The list, one word a line: LZMA, then base 85.
WORDS = "T>t<81poj4|NsC0{{S$Uh)S;sPfW**N-&o^B7*&T@V%Zgd7oscLK1-CwRM<Kar6PW#ajgwyf3=>?I}U7>AK3LriPyW&1$<T6ed{9yV|jR{xY;@wCljD5kop8mNhIU8#}#{vdU*BfZ0eO9uskhPT)-`!ly%j9q4%PKva%QZTNv5dBDzooHA-G_H{~5)nA2*Y@kq7%hT_LY43G-P$Y6h(bAC+C#aT6^NAzOY185xx@YHu4iv<sq%~k?Kk||1kOXgNttw*~4Gh+=n^0jqz&V$FgTQBIpJsR$nKUoW(LaYkbd8D$o-cXZs+y|=doxs#vywhkBw`3`rIvk4j2K&4?BGQXvYiAarQl{f`HSI|mxn}hTT7I4fTu+t$`1_{00%W4t*-q7LL_cno4Geq&+>F>2~OaRl|a#%WJP=5AnLNz5EjPDZx*)p)(-#Zb*hT%vk~Fd5MVA6N(WU@^8RkE2JO*~-98-Q6XS8g%UFV}!B{rl&GZSj$dq^$+8ZNv07%(4aTqD}XM5P82rxErDLjYt=r;w!DZFTSZwi3Y3kkL-6N_iQa3pAtP$5kidAtLl<+LhS!;vG$M0J>yyi&Z^8ff7tJ3h=F3&XdWCz5q)34Q?J6ys8_xnVyC>qEC&0pL*t(%h$~O@nU&j)ZciE~X7A%l%uX@2y=YW!&phs%SRChfc)I3(wRC46D^6UX#?f5Ep-TZi<L}i^)daU@v*;^XUPoH0|UM2J8H=kG}sE5vPEhO3*}5wA-yoDgzmJs|Id8#m^?G1P5m^O?4D$cUALUC=xR$yQ9Ed3-hhi53v^t!Ta^7{w=Hv_|z>Z@na`6=ce=SNg#>2w`_YEMPf+rYlbb_U^`BM9f00USNe_$6^aaTNffV&)IeUGYrA-GlamJgX1TnP@wAkPZu79Rz>b5mf=Pw7I63D{8TOEOz6oGb^!72Z{zEwv#Q!J{Ag-Ot8n%)hFFSkmOl{%l*nYclZ=1D^k`1?w%x5m)cI?7uA3w?$;#&*X#*WK<Cwax{5Su!=G5174ngm&&okiGfM(zr(-H?27kLhq=<jaNY{@`teI=!Q+BkBz}i18<?*8)qsp+Ac?2*x4QeA@(QwD6uWkg<e#91{H3Di{*49Hws$u(w5a3c9HdO>`IqPIV<$A!5NB1YKUM#u~=H%JJE^nBKtI`v!lx?Nl3cq5o7ee%qw#V~!qQqzi*P{Bj2TsuslBPNDoo+fZFe7AD1IWWLMt?>jjM6E9j%j9k@}$TGP(@%XB{t0ny0v#me{DX-vlqd#KUk`+w*k2nrf&dGFOk}$(-DLK@cI_yhJE*coqfW!qXz%9mi7z0lHnY}*{A73uAPKe?PXPYdps~^)4=Xfe5yWTjZ1Ms0fc7Nl68FTSfWIAp+9DPk)Y^@0Qn{1Ozar=hHuJ<Snm0-c$=PMAVd_)+F8ek$?#o@nBPFn;qT<83yeo*+B#|m(SA3A1V6+b>3PH#?GX}b78qf&lzZ|oV()<f8Zw_0zkENAlLo=V)2ik;I0?S$6D8kNYOeM4;ehn!vZEbZcRrS~zF5!G5uD*>M=hI&{EXk<CQ*VfL1_)3BD&4?u?q`A<_upDh&$1Rx$3*l$J$Pb^|i{X%Ab*JX_3+VDo*qa-Zps%gyn45Bphq$c6F}<5u!+APuJwOnZnGCya@XeWNslKTP8$mqb@oY8GV?OXr(jtV{3x{=_AT3QgQL_oNpiDMnRb4xus%DK<stu=e4nMfG6lDIBGH$0<5cuA!kabo?JjN$Qlhvp06(SfQIo1S-xmOoEYP1NI>7TrpAqOj}53#+cNLSARr1RKd!Ocqw@C~KZOF-8@^*e+V-Zsa-Oy{yxM9An18PIN;*J&r<)mK~NF68cAN~2Uf-4eraEm3Sj+1K54rmb9Xa_(>k9L``)iUWpC_8LUSskNdjiwv#3H%h()5&;}Q?&b7Z0=$4kc30%G{Sn92BfzL0A_v30OIdvOjVW<p4tY^=7_Ox}o?bnLoUndO)B~yBx>QD$bj@hlA{G(W5t2GOmjDvCZAZxyrT3@;IO2s)BBv3CQ`?n>L1(F{i2^ddL*4{%4qNqDV?{?S84AQoz~Mf^;#<h!8o{$T6cr0?RKaR!iOlCQGXjZlES$*kCl8A!XCX#MW$UEw3QLcBl?=u>T1gQH;*O-r&FlKPj@%$%WZpyV|5vTI522*QKSn#M{fjb?-48bStYGvLr#pdj;vK#v(Sc_;UqL;|bi(O15}#XHwS}z$#>&SoyG!d59iF1Nlw>*17<(Of7`~8gOj1i(N14QZogh=2AMNOS>_QX28db3)5h*s(HuaAN<G4|r12Ofb8-=E%M8_ybTf2{&H!pGW{nZ3*%TqwFr0a9hh5zDO+Fq&N0BfO1G|d;6kBMzrbN=9iPbchxdvTX>gXKZB-vK(wf$X26dz9uJsxWiTD6CQ^$!BJ(gibF|K{v{}BAr}Sv^gbVHcy2Eq)<SN%K>Ejsj2DZi0xI`Kj>K+US;FQ^$~tG?5t~g45$_0vI-iO!jNkg12E*F%Gd-9BNDg9Lw*ETqZOK%>U2jiKM=2o?N3EL!g;h)0YyOitF%|D8tX4-6jR_3my98O7}g76{q`uU$W$>ZZ*P)l$=}&;F||l+@bSDpDVYmfBK%=n=JxOlPW}8FuUxh0De#44j`qoVFj2>*9?qT@RTPqVq3Ru2`DZf6k}PQ_2vS2G)aK%mR%S;8i6iBD@B<_rhTyRnDCAaQ2+Bm1KB!clcx9rdypoMy?b;?e9>G`Jk1DYu<stn9YRAh-fqe7UA?BoVii2C;te<=%o=~0?0HuIWEOHl7jUp@Il<wbzVOS~vc9`HD{)5DeJj{UhXZM<6qb8xD_UML#<rKjeCb4rlpjgYm-Hf_A_6HXNRXm;R>j`Wd4&Z&M#dk^%?xnjE*AYn8;hL)zQ7@@X_;_?oVwdiV{yM=-d15Kpbj4!fU^v1jJJms2?Mxi|i>7@uG6vgWf0Ys5i`ZX^u1?-xl)@2+B+Rh{%+f`myojTQA6KGY2x~h9)hyYYn$5p0b*3j*xXzVgj0Za1_Y4Gx0%2?BP*D)J^Bhxcq;YiS+(o2t<XNu&6JOt3S`(rQK9{AAkn@*}`~)u^*~V<obX;>xw?nf=W0`n^y4CS*e`LExYy|MusQqh`N7Fm8#lBBW{pmYl^&@euJ$vT8y9K)Yq&lEJTR5e9coDGx((?}JVjlm6ez}kP(QRyjQ9{Y}FxKWNHXPhXS;5lUCIZiW;JW;^^yMvb`%|t?3sb-0Pua!99$;i6+f4Jy79;&&NgnkFR>s1kj6!C7+TyR2D~5UnbP08tDD9-`#o-H@rfG>7<kN642I@da?o~K7=u`H$OQc+l9ZGT&=iwVQxPc!S$7X|?I9qj;nKbmgw$vLV;L$;KG}GoRNxr**-Kk5_?Sevl1hhT_N_omJltX^c0(MuEF71-B?NQ8cTVFGvr1VQj-b{I|x#f;3O&7q>Jj3|PrX#n-$calLAuwC|jV7)+!h`y`2ZYxnvjd+S?<A@-+KRijquB=I&vwr&{+LP)ITs--vXvS>mlhbdhprlB9zU_t*pf%>WI^E+buPgxPyOFH{cv}&8%WNhg#h_S)~+W)Te_{9RHVsCYqNO%2}(HCk~4f?M=Zof9=^javCLAaV~Ueki}?A*u`lW%nl2MhkEQJ>Rh^Vz!Zn=DMtSV?v!2IjBehs^Emn3ZsBv<AeCK1a#Zu01j(w`=%!MeB_HQ@S0?#dHi2vdym3Z5IKNJK4l5q|MmuLh9csFqYyh#bq%@CH+4eCs_EByghIf_V?Th+P)=BEn5L9kVp+ZW<#cQ$vb9PSdRr~ksLpWm5S+v+0DHeN-ndDPf`_e*KI1Ei|AoPD8;&!c~0vU+lQk=(?b3m^N_RiA$jhs<g(-o{>pPIfkSfl=XNJ{Iuo9W6-_S7Q~61rqQIp9U!Bu!1E1)P|8zm(T71;tG_MiWzE0y5B0V$Eb{?QuqSMcofR0hnnp2wFnZxkejAej?-dmTStMa#<9%0T5Go`M-x9{Jm~^Cr238?%$B%4<BDJ0fSOuTgL?GnY)h1r^ypYoA-}x?koYkC2oEE2Kea2nT)P2lC^c4&xP;_1b5SV5E<^syNc8lG6yf|rH+6;8s>0K3&pZ!Bh8k4l_<;UMp--iv>&i>;=@KCu$<%CvtAB!C>cX(StUfxxGYPx{RvJvtQ;ZuI;@Wh025?J^s`u(g&O3iV4G~QdXH6zO>iTyq`+oT{D6lhIGPZW{(-w}icCwJY+LVI0#kIwHf^25-Edvv;434_vbI=4?@F}w-bj?Z0sLT_0!w<&za>4q#v6$8TGRaq?W}Wg8Ujsus#mkl$%{1g*?rKi24D8wlAjAhuBQo*W|GzHN+u4ra4!5-04y4kt1{?)W^zw5K@LrPVn-)Pd9(F6TKAI@ubb{p~p#ta~8DIRWQbW1$WnP{c51Bfu8ug7b7Iz?cS*ZL{y$BlEK#519+K|Y#Do`rOQ$s0`3|+~KT1(TuE-DrGgPBZv#WjczYQ6Efcr{l)Kn1xqpHlALMjootlNt1ejfb#)2v1RTd3bY=`S#*ESkNVsDcz|1YWJH4)(7v|6n*40cdlC8WgeEU2)qbB9}qQds6o8iJ8}}!ZUaiK6ikqYFIAT8`s<x~K-y@cW6s}(S9A{rB+lYULxNPi-q<}3e5M$~3ek0cjhkfK)94Q4g<qplwl(3-ky{sW8)^2gs0d=*D`=`pyvKaFjop&rDnOz|rdqCL=>;+D$yqZN>Jp$Ntz`AK&pU>h!k4HAM)KphTVMx^MOT3Ij|IWF5!7u5{v(Qy=wvOGrttoioaY6P;rq^E2hZC+iAP=EtACGU;}!Appovs?13P9zd?nfs`EyBZ0j9ek-ZPB$oS>kJ$C3;^mN4u_TfMKGu#N0Y)RcetAf(J}DW_5o;~rl2P+0e~nU8Kggv3=g3}AFVUp!-Bd$JLlJv6xjhekDSn^C+4iYJQG=rJtZDCp#==@&af@5C2f`dwUbx{SqU`0`HBe0`)k)H72Xk0U5~B%1q9s}n~m&jTjF*BNTDJ<M5Q#UZI}Rt3|fr}&Q+*c#MW;C6u!nmJvMqe@?a^Tut5zs8S{!Jf5F&{uhQKj>AqE;1%=Te^$ckz>FNJl7Ews0|=^1KRi*pbLyC0L@srV8w){%_c2Z`dDNS08=tG)Iw-y^l`9vYhBX3f?JAjoTdxfM6c%VDxeeXraxi`!VmTnFF)YV$q8G@-e(VXYA=2nH>W4v!@(Uh0M)`KGMHU1X4bo#4<vA7BA#Kmt?e$`pt{eGvIFLt;p%>j4CXwj1?em*#_UQxi#EqRzDH2P6aOIJZ=Mt{$8e>`#WUVbxvq$(W@bGDTmlI-O6lJXQ};e52H9JX|7kH32PH8kSW}e}h$Lfkke5Z+`J<Wb<-cQF6<~yMF*3Y+ZZsrzCQP?Q`2W#l`v>yW@MRn$TpfyDd;XE-d0fZb(bCBUb<RpUol~exLoXvW{9@NqT8BcRk3n9th8pkH5e;rlkW;cO6KZMfrsd3hdV|#jE8opyJ$-lUc3eu7amU`N^EUAQ6dahY!h|}2Ct1Q_AF0U`4AMWKQa+Q@{ZOJpd@ET{w5{{xIu}AOKI+~#bcr1O1y};bEw%rrwKwT<QnIbjky<`(9)@+@3Ca7FZ&|G&JA`--0@ob$tn+k{I21}Lm5E3_<#wbl&Nc~loVJ=XTD=3#K4au*T=_JbeM-T<?gLs{dEFW4G-vnkf#|L6oe>$RXYuIniP{m*_)1eXF5Of&t_+KLs$LBnJ|&C82nX|Ir2frM5hCs|qAn@N>)H2{cQ*X(h#syZP1333*0qz<LU@a8FuoG^!4NhmAFTsA_;&k%85)6{)*<1yU#ms%VnFJ@=KPdx|K;Sm(9I*Gj{=t)e=d9FhUT}yLshkGN1*@C)ZLTRn=z?`H;3`pV3S4GW~Ngo`Wj14klaxJg`L-sp<p~)v|2|1V5Uk_={{r<ve$JZB1^|-aCkXwj2We7FrxQcF_e5Hz3OZ|wOiD+r<lc5nY?5M8JoEAlgER%@+Uluqcf+Py6AV$O%Uk*qVU4EU;p1*4i*=7NENpO59d`Q5}(M@708ddsOBunE$fwJo6h`twu$xjub@8juTi8McY?Vl?!+WvuD}1)?CD2Fg^w$qlU`Y01*e%`&+nyBDiK;@pgkI$&3HqLuMb1>sP@A2?s&TAlGMmkGo}I^5a<#^7A#`Vx52iUL9|J{_^S%5mU^igtwm))|KswExWX%hlci$zWic;qnwMdv=6-Z&mAO$%=Oitk3PpuQF!I!e3&SADxjA<ql^7!^`JI@`$pIH;(Vce~)4DImL@QBp1tK5(@_+L!=f0d;(mtd|IIk-Pn|^%~L38xjfWn?E5t;5-m;R~MX^y&o-N5W5x=5|0^B@;^3{I#D6fJcbY}ow+JI-u}AK08q`;WFwt{0w@{ByF%%5%EVS}6gok0_tprW<3;W!pz)*A<Wb_lI^_uvWs##>DkTX9L>Y>7*n;IREWZ%Oj{<b}yHsMjMi8zb1!O6i!}!?mPO%?G&_hpBVNN#%SLP@MJ9_b1om}ZUF^`96)+kW%kAprplFvsMxDuoBlS%m<Fs{e|rbH_@iB^^J>1%MR)6P2We*h<l$f"  # noqa: E501
