    xor r10d, r10d
    vmovdqa xmm14, [rdi+{w16}]
    vpaddd xmm14, xmm14, [rdi+{sigmas}+0]
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+832+0], xmm0
    vmovdqa xmm15, [rdi+{x20}]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+848+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+896], xmm14
    vpaddd xmm13, xmm13, [rdi+{m24}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+864+0], xmm0
    vmovdqa [rdi+{w}+864], xmm13
    vmovdqa [rdi+{w}+848], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+912], xmm15
    vmovdqa xmm14, [rdi+{w16}]
    vpaddd xmm14, xmm14, [rdi+{sigmas}+16]
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+1088+0], xmm0
    vmovdqa xmm15, [rdi+{x20}]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+1104+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1152], xmm14
    vpaddd xmm13, xmm13, [rdi+{m24}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+1120+0], xmm0
    vmovdqa [rdi+{w}+1120], xmm13
    vmovdqa [rdi+{w}+1104], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1168], xmm15
    vmovdqa xmm14, [rdi+{w16}]
    vpaddd xmm14, xmm14, [rdi+{sigmas}+32]
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+1344+0], xmm0
    vmovdqa xmm15, [rdi+{x20}]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+1360+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1408], xmm14
    vpaddd xmm13, xmm13, [rdi+{m24}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+1376+0], xmm0
    vmovdqa [rdi+{w}+1376], xmm13
    vmovdqa [rdi+{w}+1360], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1424], xmm15
    .p2align 6
2:
    # batch 0
    vpaddd xmm1, xmm1, [rdi+{starts}+32]
    vpaddd xmm2, xmm2, [rdi+{starts}+48]
    vshufps xmm13, xmm1, xmm2, 0xbb
    vshufps xmm14, xmm1, xmm2, 0x11
    vmovdqa xmm7, [rdi+{iv_abef}]
    vmovdqa xmm8, [rdi+{iv_cdgh}]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{kw_of}+0+0], xmm0
    sha256rnds2 xmm8, xmm7
    vpaddd xmm15, xmm14, [rdi+{k}+16]
    vmovdqa [rdi+{kw_of}+16+0], xmm15
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+64], xmm13
    sha256msg1 xmm14, [rdi+{w8}]
    vmovdqa [rdi+{early}+80], xmm14
    vpaddd xmm3, xmm3, [rdi+{starts}+32]
    vpaddd xmm4, xmm4, [rdi+{starts}+48]
    vshufps xmm13, xmm3, xmm4, 0xbb
    vshufps xmm14, xmm3, xmm4, 0x11
    vmovdqa xmm9, [rdi+{iv_abef}]
    vmovdqa xmm10, [rdi+{iv_cdgh}]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{kw_of}+256+0], xmm0
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm14, [rdi+{k}+16]
    vmovdqa [rdi+{kw_of}+272+0], xmm15
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+320], xmm13
    sha256msg1 xmm14, [rdi+{w8}]
    vmovdqa [rdi+{early}+336], xmm14
    vpaddd xmm5, xmm5, [rdi+{starts}+32]
    vpaddd xmm6, xmm6, [rdi+{starts}+48]
    vshufps xmm13, xmm5, xmm6, 0xbb
    vshufps xmm14, xmm5, xmm6, 0x11
    vmovdqa xmm11, [rdi+{iv_abef}]
    vmovdqa xmm12, [rdi+{iv_cdgh}]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{kw_of}+512+0], xmm0
    sha256rnds2 xmm12, xmm11
    vpaddd xmm15, xmm14, [rdi+{k}+16]
    vmovdqa [rdi+{kw_of}+528+0], xmm15
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+576], xmm13
    sha256msg1 xmm14, [rdi+{w8}]
    vmovdqa [rdi+{early}+592], xmm14
    vmovddup xmm13, [rdi+{words}+0]
    vpaddd xmm1, xmm13, [rdi+{starts}+0]
    vmovdqa xmm2, [rdi+{starts}+16]
    vmovddup xmm13, [rdi+{words}+16]
    vpaddd xmm3, xmm13, [rdi+{starts}+0]
    vmovdqa xmm4, [rdi+{starts}+16]
    vmovddup xmm13, [rdi+{words}+32]
    vpaddd xmm5, xmm13, [rdi+{starts}+0]
    vmovdqa xmm6, [rdi+{starts}+16]
    vmovdqa xmm0, [rdi+{kw}+0]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+864]
    vpalignr xmm14, xmm13, [rdi+{w}+848], 4
    vpaddd xmm14, xmm14, [rdi+{m28}]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+880+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+928], xmm13
    vmovq xmm0, [rdi+{kw}+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vpaddd xmm15, xmm15, [rdi+{early}+896]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+896+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+944], xmm14
    vmovq xmm0, [rdi+{kw_of}+0+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+256+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+912]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+912+0], xmm0
    vmovdqa [rdi+{w}+912], xmm13
    vmovdqa [rdi+{w}+896], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+960], xmm15
    vmovq xmm0, [rdi+{kw_of}+512+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw}+16]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa xmm14, [rdi+{early}+64]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+64+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+112], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+16+0]
    sha256rnds2 xmm8, xmm7
    vpaddd xmm15, xmm15, [rdi+{early}+80]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+80+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+128], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+272+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+96+0], xmm0
    vmovdqa [rdi+{w}+96], xmm13
    vmovdqa [rdi+{w}+80], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+144], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+528+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw}+24]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovdqa xmm13, [rdi+{w}+1120]
    vpalignr xmm14, xmm13, [rdi+{w}+1104], 4
    vpaddd xmm14, xmm14, [rdi+{m28}]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+1136+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+1184], xmm13
    vmovq xmm0, [rdi+{kw_of}+16+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm15, xmm15, [rdi+{early}+1152]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+1152+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1200], xmm14
    vmovq xmm0, [rdi+{kw_of}+272+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+1168]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+1168+0], xmm0
    vmovdqa [rdi+{w}+1168], xmm13
    vmovdqa [rdi+{w}+1152], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1216], xmm15
    vmovq xmm0, [rdi+{kw_of}+528+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw}+32]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa xmm14, [rdi+{early}+320]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+320+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+368], xmm13
    vpaddd xmm15, xmm15, [rdi+{early}+336]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+336+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+384], xmm14
    vmovdqa xmm0, [rdi+{k8}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+352+0], xmm0
    vmovdqa [rdi+{w}+352], xmm13
    vmovdqa [rdi+{w}+336], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+400], xmm15
    vmovq xmm0, [rdi+{kw}+40]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovdqa xmm13, [rdi+{w}+1376]
    vpalignr xmm14, xmm13, [rdi+{w}+1360], 4
    vpaddd xmm14, xmm14, [rdi+{m28}]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+1392+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+1440], xmm13
    vpaddd xmm15, xmm15, [rdi+{early}+1408]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+1408+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1456], xmm14
    vmovq xmm0, [rdi+{k8}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vpaddd xmm13, xmm13, [rdi+{early}+1424]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+1424+0], xmm0
    vmovdqa [rdi+{w}+1424], xmm13
    vmovdqa [rdi+{w}+1408], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1472], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+832+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa xmm14, [rdi+{early}+576]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+576+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+624], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+1088+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1344+0]
    sha256rnds2 xmm6, xmm5
    vpaddd xmm15, xmm15, [rdi+{early}+592]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+592+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+640], xmm14
    vmovdqa xmm0, [rdi+{k12}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+832+8]
    sha256rnds2 xmm1, xmm2
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+608+0], xmm0
    vmovdqa [rdi+{w}+608], xmm13
    vmovdqa [rdi+{w}+592], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+656], xmm15
    vmovq xmm0, [rdi+{kw_of}+1088+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1344+8]
    sha256rnds2 xmm5, xmm6
    lea eax, [rsi+3]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    or r9, rax
    mov [rdi+{words}+0], rax
    mov [rdi+{sigmas}+8], r9
    vmovq xmm0, [rdi+{k12}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+848+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+96]
    vpalignr xmm14, xmm13, [rdi+{w}+80], 4
    vpaddd xmm14, xmm14, [rdi+{early}+112]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+112+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+160], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+1104+0]
    sha256rnds2 xmm4, xmm3
    vpaddd xmm15, xmm15, [rdi+{early}+128]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+128+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+176], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+1360+0]
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{kw_of}+64+0]
    sha256rnds2 xmm8, xmm7
    vpaddd xmm13, xmm13, [rdi+{early}+144]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+144+0], xmm0
    vmovdqa [rdi+{w}+144], xmm13
    vmovdqa [rdi+{w}+128], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+192], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+320+0]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm0, [rdi+{kw_of}+576+0]
    sha256rnds2 xmm12, xmm11
    vmovdqa xmm13, [rdi+{w}+912]
    vpalignr xmm14, xmm13, [rdi+{w}+896], 4
    vpaddd xmm14, xmm14, [rdi+{early}+928]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+928+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+976], xmm13
    vmovq xmm0, [rdi+{kw_of}+848+8]
    sha256rnds2 xmm1, xmm2
    vpaddd xmm15, xmm15, [rdi+{early}+944]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+944+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+992], xmm14
    vmovq xmm0, [rdi+{kw_of}+1104+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1360+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{early}+960]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+960+0], xmm0
    vmovdqa [rdi+{w}+960], xmm13
    vmovdqa [rdi+{w}+944], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1008], xmm15
    vmovq xmm0, [rdi+{kw_of}+64+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+320+8]
    sha256rnds2 xmm9, xmm10
    lea eax, [rsi+4]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    or r9, rax
    mov [rdi+{words}+16], rax
    mov [rdi+{sigmas}+24], r9
    vmovq xmm0, [rdi+{kw_of}+576+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+864+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+352]
    vpalignr xmm14, xmm13, [rdi+{w}+336], 4
    vpaddd xmm14, xmm14, [rdi+{early}+368]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+368+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+416], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+1120+0]
    sha256rnds2 xmm4, xmm3
    vpaddd xmm15, xmm15, [rdi+{early}+384]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+384+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+432], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+1376+0]
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{kw_of}+80+0]
    sha256rnds2 xmm8, xmm7
    vpaddd xmm13, xmm13, [rdi+{early}+400]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+400+0], xmm0
    vmovdqa [rdi+{w}+400], xmm13
    vmovdqa [rdi+{w}+384], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+448], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+336+0]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm0, [rdi+{kw_of}+592+0]
    sha256rnds2 xmm12, xmm11
    vmovdqa xmm13, [rdi+{w}+1168]
    vpalignr xmm14, xmm13, [rdi+{w}+1152], 4
    vpaddd xmm14, xmm14, [rdi+{early}+1184]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+1184+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+1232], xmm13
    vmovq xmm0, [rdi+{kw_of}+864+8]
    sha256rnds2 xmm1, xmm2
    vpaddd xmm15, xmm15, [rdi+{early}+1200]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+1200+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1248], xmm14
    vmovq xmm0, [rdi+{kw_of}+1120+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1376+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{early}+1216]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+1216+0], xmm0
    vmovdqa [rdi+{w}+1216], xmm13
    vmovdqa [rdi+{w}+1200], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1264], xmm15
    vmovq xmm0, [rdi+{kw_of}+80+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+336+8]
    sha256rnds2 xmm9, xmm10
    lea eax, [rsi+5]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    or r9, rax
    mov [rdi+{words}+32], rax
    mov [rdi+{sigmas}+40], r9
    vmovq xmm0, [rdi+{kw_of}+592+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+880+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+608]
    vpalignr xmm14, xmm13, [rdi+{w}+592], 4
    vpaddd xmm14, xmm14, [rdi+{early}+624]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+624+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+672], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+1136+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1392+0]
    sha256rnds2 xmm6, xmm5
    vpaddd xmm15, xmm15, [rdi+{early}+640]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+640+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+688], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+96+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+352+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm13, xmm13, [rdi+{early}+656]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+656+0], xmm0
    vmovdqa [rdi+{w}+656], xmm13
    vmovdqa [rdi+{w}+640], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+704], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+608+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+880+8]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w}+1424]
    vpalignr xmm14, xmm13, [rdi+{w}+1408], 4
    vpaddd xmm14, xmm14, [rdi+{early}+1440]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+1440+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+1488], xmm13
    vmovq xmm0, [rdi+{kw_of}+1136+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1392+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm15, xmm15, [rdi+{early}+1456]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+1456+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1504], xmm14
    vmovq xmm0, [rdi+{kw_of}+96+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+352+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+1472]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+1472+0], xmm0
    vmovdqa [rdi+{w}+1472], xmm13
    vmovdqa [rdi+{w}+1456], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1520], xmm15
    vmovq xmm0, [rdi+{kw_of}+608+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+896+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+144]
    vpalignr xmm14, xmm13, [rdi+{w}+128], 4
    vpaddd xmm14, xmm14, [rdi+{early}+160]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+160+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+208], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+1152+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1408+0]
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{kw_of}+112+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+368+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+176]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+176+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+224], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+624+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+896+8]
    sha256rnds2 xmm1, xmm2
    vmovq xmm0, [rdi+{kw_of}+1152+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1408+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{early}+192]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+192+0], xmm0
    vmovdqa [rdi+{w}+192], xmm13
    vmovdqa [rdi+{w}+176], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+240], xmm15
    vmovq xmm0, [rdi+{kw_of}+112+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+368+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+624+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+912+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+400]
    vpalignr xmm14, xmm13, [rdi+{w}+384], 4
    vpaddd xmm14, xmm14, [rdi+{early}+416]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+416+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+464], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+1168+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1424+0]
    sha256rnds2 xmm6, xmm5
    vpaddd xmm15, xmm15, [rdi+{early}+432]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+432+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+480], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+128+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+384+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm13, xmm13, [rdi+{early}+448]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+448+0], xmm0
    vmovdqa [rdi+{w}+448], xmm13
    vmovdqa [rdi+{w}+432], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+496], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+640+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+912+8]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w}+960]
    vpalignr xmm14, xmm13, [rdi+{w}+944], 4
    vpaddd xmm14, xmm14, [rdi+{early}+976]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+976+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovq xmm0, [rdi+{kw_of}+1168+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1424+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm15, xmm15, [rdi+{early}+992]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+992+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovq xmm0, [rdi+{kw_of}+128+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+384+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+1008]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+1008+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+640+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+928+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+656]
    vpalignr xmm14, xmm13, [rdi+{w}+640], 4
    vpaddd xmm14, xmm14, [rdi+{early}+672]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+672+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+720], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+1184+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1440+0]
    sha256rnds2 xmm6, xmm5
    vpaddd xmm15, xmm15, [rdi+{early}+688]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+688+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+736], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+144+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+400+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm13, xmm13, [rdi+{early}+704]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+704+0], xmm0
    vmovdqa [rdi+{w}+704], xmm13
    vmovdqa [rdi+{w}+688], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+752], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+656+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+928+8]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w}+1216]
    vpalignr xmm14, xmm13, [rdi+{w}+1200], 4
    vpaddd xmm14, xmm14, [rdi+{early}+1232]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+1232+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovq xmm0, [rdi+{kw_of}+1184+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1440+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm15, xmm15, [rdi+{early}+1248]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+1248+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovq xmm0, [rdi+{kw_of}+144+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+400+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+1264]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+1264+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+656+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+944+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+192]
    vpalignr xmm14, xmm13, [rdi+{w}+176], 4
    vpaddd xmm14, xmm14, [rdi+{early}+208]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+208+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovdqa xmm0, [rdi+{kw_of}+1200+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1456+0]
    sha256rnds2 xmm6, xmm5
    vpaddd xmm15, xmm15, [rdi+{early}+224]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+224+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovdqa xmm0, [rdi+{kw_of}+160+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+416+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm13, xmm13, [rdi+{early}+240]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+240+0], xmm0
    vmovdqa xmm0, [rdi+{kw_of}+672+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+944+8]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w}+1472]
    vpalignr xmm14, xmm13, [rdi+{w}+1456], 4
    vpaddd xmm14, xmm14, [rdi+{early}+1488]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+1488+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovq xmm0, [rdi+{kw_of}+1200+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1456+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm15, xmm15, [rdi+{early}+1504]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+1504+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovq xmm0, [rdi+{kw_of}+160+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+416+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+1520]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+1520+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+672+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+960+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w}+448]
    vpalignr xmm14, xmm13, [rdi+{w}+432], 4
    vpaddd xmm14, xmm14, [rdi+{early}+464]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+464+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovdqa xmm0, [rdi+{kw_of}+1216+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1472+0]
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{kw_of}+176+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+432+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+480]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+480+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovdqa xmm0, [rdi+{kw_of}+688+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+960+8]
    sha256rnds2 xmm1, xmm2
    vmovq xmm0, [rdi+{kw_of}+1216+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1472+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{early}+496]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+496+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+176+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+432+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+688+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+976+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm14, [rdi+{w16}]
    vpaddd xmm14, xmm14, [rdi+{sigmas}+0]
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+832+0], xmm0
    vmovdqa xmm0, [rdi+{kw_of}+1232+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1488+0]
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm15, [rdi+{x20}]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+848+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+896], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+192+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+448+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm13, xmm13, [rdi+{m24}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+864+0], xmm0
    vmovdqa [rdi+{w}+864], xmm13
    vmovdqa [rdi+{w}+848], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+912], xmm15
    vmovdqa xmm0, [rdi+{kw_of}+704+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+976+8]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w}+704]
    vpalignr xmm14, xmm13, [rdi+{w}+688], 4
    vpaddd xmm14, xmm14, [rdi+{early}+720]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+720+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovq xmm0, [rdi+{kw_of}+1232+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1488+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm15, xmm15, [rdi+{early}+736]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+736+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovq xmm0, [rdi+{kw_of}+192+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+448+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+752]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+752+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+704+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+992+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm14, [rdi+{w16}]
    vpaddd xmm14, xmm14, [rdi+{sigmas}+16]
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+1088+0], xmm0
    vmovdqa xmm0, [rdi+{kw_of}+1248+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1504+0]
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{kw_of}+208+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+464+0]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm15, [rdi+{x20}]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+1104+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1152], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+720+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+992+8]
    sha256rnds2 xmm1, xmm2
    vmovq xmm0, [rdi+{kw_of}+1248+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1504+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{m24}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+1120+0], xmm0
    vmovdqa [rdi+{w}+1120], xmm13
    vmovdqa [rdi+{w}+1104], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1168], xmm15
    vmovq xmm0, [rdi+{kw_of}+208+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+464+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+720+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+1008+0]
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm14, [rdi+{w16}]
    vpaddd xmm14, xmm14, [rdi+{sigmas}+32]
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+1344+0], xmm0
    vmovdqa xmm0, [rdi+{kw_of}+1264+0]
    sha256rnds2 xmm4, xmm3
    vmovdqa xmm0, [rdi+{kw_of}+1520+0]
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{kw_of}+224+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+480+0]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm15, [rdi+{x20}]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+1360+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+1408], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+736+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{kw_of}+1008+8]
    sha256rnds2 xmm1, xmm2
    vmovq xmm0, [rdi+{kw_of}+1264+8]
    sha256rnds2 xmm3, xmm4
    vmovq xmm0, [rdi+{kw_of}+1520+8]
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{m24}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+1376+0], xmm0
    vmovdqa [rdi+{w}+1376], xmm13
    vmovdqa [rdi+{w}+1360], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1424], xmm15
    vmovq xmm0, [rdi+{kw_of}+224+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+480+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+736+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rdi+{kw_of}+240+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+496+0]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm0, [rdi+{kw_of}+752+0]
    sha256rnds2 xmm12, xmm11
    vpunpckldq xmm13, xmm8, xmm10
    vpunpcklqdq xmm13, xmm13, xmm12
    vpaddd xmm13, xmm13, [rdi+{iv7}]
    vpand xmm13, xmm13, [rdi+{filter}]
    vpxor xmm14, xmm14, xmm14
    vpcmpeqd xmm13, xmm13, xmm14
    vmovmskps eax, xmm13
    and eax, 7
    jnz 30f
40:
    mov [rdi+{stop}], esi
    add esi, 3
    # room for the results of one more iteration?
    cmp r10d, {room}
    ja 6f
    dec rdx
    jnz 2b
6:
    mov [rdi+{found_len}], r10d
    ret
30:
    lea r9d, [rsi-3]
    shl eax, 0
    mov [rdi+r10*8+{found}], r9d
    mov [rdi+r10*8+{found}+4], eax
    inc r10d
    jmp 40b
