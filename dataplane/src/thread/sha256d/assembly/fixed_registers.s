    # lanes 2 and 3
    mov eax, 12
    kmovw k1, eax
    .p2align 6
2:
    lea eax, [rsi+0]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    mov [rdi+{words}+0], rax
    or r9, rax
    mov [rdi+{words}+8], r9
    lea eax, [rsi+1]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    mov [rdi+{words}+16], rax
    or r9, rax
    mov [rdi+{words}+24], r9
    lea eax, [rsi+2]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    mov [rdi+{words}+32], rax
    or r9, rax
    mov [rdi+{words}+40], r9
    lea eax, [rsi+3]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    mov [rdi+{words}+48], rax
    or r9, rax
    mov [rdi+{words}+56], r9
    vmovddup xmm13, [rdi+{words}+0]
    vpaddd xmm1, xmm13, [rdi+{starts}]
    vmovdqa xmm2, [rdi+{starts}+16]
    vmovddup xmm13, [rdi+{words}+16]
    vpaddd xmm3, xmm13, [rdi+{starts}]
    vmovdqa xmm4, [rdi+{starts}+16]
    vmovddup xmm13, [rdi+{words}+32]
    vpaddd xmm5, xmm13, [rdi+{starts}]
    vmovdqa xmm6, [rdi+{starts}+16]
    vmovddup xmm13, [rdi+{words}+48]
    vpaddd xmm7, xmm13, [rdi+{starts}]
    vmovdqa xmm8, [rdi+{starts}+16]
    vmovdqa xmm0, [rdi+{kw}+0]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{kw}+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm0, [rdi+{kw}+16]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{kw}+24]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm0, [rdi+{kw}+32]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{kw}+40]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w16}]
    vmovddup xmm14, [rdi+{words}+8]
    vpaddd xmm13{{k1}}, xmm13, xmm14
    vmovdqa64 xmm16, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w16}]
    vmovddup xmm14, [rdi+{words}+24]
    vpaddd xmm13{{k1}}, xmm13, xmm14
    vmovdqa64 xmm20, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w16}]
    vmovddup xmm14, [rdi+{words}+40]
    vpaddd xmm13{{k1}}, xmm13, xmm14
    vmovdqa64 xmm24, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa xmm13, [rdi+{w16}]
    vmovddup xmm14, [rdi+{words}+56]
    vpaddd xmm13{{k1}}, xmm13, xmm14
    vmovdqa64 xmm28, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{x20}]
    vmovdqa64 xmm14, xmm16
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm17, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{x20}]
    vmovdqa64 xmm14, xmm20
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm21, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{x20}]
    vmovdqa64 xmm14, xmm24
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm25, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa xmm13, [rdi+{x20}]
    vmovdqa64 xmm14, xmm28
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm29, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{m24}]
    vpalignr xmm14, xmm17, xmm16, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm17
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm18, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{m24}]
    vpalignr xmm14, xmm21, xmm20, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm21
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm22, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{m24}]
    vpalignr xmm14, xmm25, xmm24, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm25
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm26, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa xmm13, [rdi+{m24}]
    vpalignr xmm14, xmm29, xmm28, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm29
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm30, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{m28}]
    vpalignr xmm14, xmm18, xmm17, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm18
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm19, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{m28}]
    vpalignr xmm14, xmm22, xmm21, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm22
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm23, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{m28}]
    vpalignr xmm14, xmm26, xmm25, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm26
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm27, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa xmm13, [rdi+{m28}]
    vpalignr xmm14, xmm30, xmm29, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm30
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm31, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm16
    vmovdqa64 xmm14, xmm17
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm19, xmm18, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm19
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm16, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm20
    vmovdqa64 xmm14, xmm21
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm23, xmm22, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm23
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm20, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm24
    vmovdqa64 xmm14, xmm25
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm27, xmm26, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm27
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm24, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm28
    vmovdqa64 xmm14, xmm29
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm31, xmm30, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm31
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm28, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm17
    vmovdqa64 xmm14, xmm18
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm16, xmm19, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm16
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm17, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm21
    vmovdqa64 xmm14, xmm22
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm20, xmm23, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm20
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm21, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm25
    vmovdqa64 xmm14, xmm26
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm24, xmm27, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm24
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm25, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm29
    vmovdqa64 xmm14, xmm30
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm28, xmm31, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm28
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm29, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm18
    vmovdqa64 xmm14, xmm19
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm17, xmm16, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm17
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm18, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm22
    vmovdqa64 xmm14, xmm23
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm21, xmm20, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm21
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm22, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm26
    vmovdqa64 xmm14, xmm27
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm25, xmm24, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm25
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm26, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm30
    vmovdqa64 xmm14, xmm31
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm29, xmm28, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm29
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm30, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm19
    vmovdqa64 xmm14, xmm16
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm18, xmm17, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm18
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm19, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm23
    vmovdqa64 xmm14, xmm20
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm22, xmm21, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm22
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm23, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm27
    vmovdqa64 xmm14, xmm24
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm26, xmm25, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm26
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm27, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm31
    vmovdqa64 xmm14, xmm28
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm30, xmm29, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm30
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm31, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm16
    vmovdqa64 xmm14, xmm17
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm19, xmm18, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm19
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm16, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm20
    vmovdqa64 xmm14, xmm21
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm23, xmm22, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm23
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm20, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm24
    vmovdqa64 xmm14, xmm25
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm27, xmm26, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm27
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm24, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm28
    vmovdqa64 xmm14, xmm29
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm31, xmm30, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm31
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm28, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm17
    vmovdqa64 xmm14, xmm18
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm16, xmm19, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm16
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm17, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm21
    vmovdqa64 xmm14, xmm22
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm20, xmm23, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm20
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm21, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm25
    vmovdqa64 xmm14, xmm26
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm24, xmm27, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm24
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm25, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm29
    vmovdqa64 xmm14, xmm30
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm28, xmm31, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm28
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm29, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm18
    vmovdqa64 xmm14, xmm19
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm17, xmm16, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm17
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm18, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm22
    vmovdqa64 xmm14, xmm23
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm21, xmm20, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm21
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm22, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm26
    vmovdqa64 xmm14, xmm27
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm25, xmm24, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm25
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm26, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm30
    vmovdqa64 xmm14, xmm31
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm29, xmm28, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm29
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm30, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm19
    vmovdqa64 xmm14, xmm16
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm18, xmm17, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm18
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm19, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm23
    vmovdqa64 xmm14, xmm20
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm22, xmm21, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm22
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm23, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm27
    vmovdqa64 xmm14, xmm24
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm26, xmm25, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm26
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm27, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm31
    vmovdqa64 xmm14, xmm28
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm30, xmm29, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm30
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm31, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm1, xmm1, [rdi+{starts}+32]
    vpaddd xmm2, xmm2, [rdi+{starts}+48]
    vshufps xmm16, xmm1, xmm2, 0xbb
    vshufps xmm17, xmm1, xmm2, 0x11
    vpaddd xmm3, xmm3, [rdi+{starts}+32]
    vpaddd xmm4, xmm4, [rdi+{starts}+48]
    vshufps xmm20, xmm3, xmm4, 0xbb
    vshufps xmm21, xmm3, xmm4, 0x11
    vpaddd xmm5, xmm5, [rdi+{starts}+32]
    vpaddd xmm6, xmm6, [rdi+{starts}+48]
    vshufps xmm24, xmm5, xmm6, 0xbb
    vshufps xmm25, xmm5, xmm6, 0x11
    vpaddd xmm7, xmm7, [rdi+{starts}+32]
    vpaddd xmm8, xmm8, [rdi+{starts}+48]
    vshufps xmm28, xmm7, xmm8, 0xbb
    vshufps xmm29, xmm7, xmm8, 0x11
    vmovdqa xmm1, [rdi+{iv_abef}]
    vmovdqa xmm2, [rdi+{iv_cdgh}]
    vmovdqa xmm3, [rdi+{iv_abef}]
    vmovdqa xmm4, [rdi+{iv_cdgh}]
    vmovdqa xmm5, [rdi+{iv_abef}]
    vmovdqa xmm6, [rdi+{iv_cdgh}]
    vmovdqa xmm7, [rdi+{iv_abef}]
    vmovdqa xmm8, [rdi+{iv_cdgh}]
    vpaddd xmm0, xmm16, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vpaddd xmm0, xmm20, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vpaddd xmm0, xmm24, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vpaddd xmm0, xmm28, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm0, xmm17, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vpaddd xmm0, xmm21, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vpaddd xmm0, xmm25, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vpaddd xmm0, xmm29, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm0, [rdi+{k8}]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{k8}+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm0, [rdi+{k12}]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{k12}+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm16
    vmovdqa64 xmm14, xmm17
    sha256msg1 xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa64 xmm16, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm20
    vmovdqa64 xmm14, xmm21
    sha256msg1 xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa64 xmm20, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm24
    vmovdqa64 xmm14, xmm25
    sha256msg1 xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa64 xmm24, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm28
    vmovdqa64 xmm14, xmm29
    sha256msg1 xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa64 xmm28, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm17
    sha256msg1 xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm16, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm16
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm17, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm21
    sha256msg1 xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm20, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm20
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm21, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm25
    sha256msg1 xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm24, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm24
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm25, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm29
    sha256msg1 xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm28, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm28
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm29, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm17, xmm16, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm17
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm18, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm21, xmm20, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm21
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm22, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm25, xmm24, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm25
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm26, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa xmm13, [rdi+{w8}]
    vpalignr xmm14, xmm29, xmm28, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm29
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm30, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa64 xmm14, xmm16
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm18, xmm17, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm18
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm19, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa64 xmm14, xmm20
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm22, xmm21, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm22
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm23, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa64 xmm14, xmm24
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm26, xmm25, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm26
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm27, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa64 xmm14, xmm28
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm30, xmm29, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm30
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm31, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm16
    vmovdqa64 xmm14, xmm17
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm19, xmm18, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm19
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm16, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm20
    vmovdqa64 xmm14, xmm21
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm23, xmm22, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm23
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm20, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm24
    vmovdqa64 xmm14, xmm25
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm27, xmm26, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm27
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm24, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm28
    vmovdqa64 xmm14, xmm29
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm31, xmm30, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm31
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm28, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm17
    vmovdqa64 xmm14, xmm18
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm16, xmm19, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm16
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm17, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm21
    vmovdqa64 xmm14, xmm22
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm20, xmm23, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm20
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm21, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm25
    vmovdqa64 xmm14, xmm26
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm24, xmm27, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm24
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm25, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm29
    vmovdqa64 xmm14, xmm30
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm28, xmm31, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm28
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm29, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm18
    vmovdqa64 xmm14, xmm19
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm17, xmm16, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm17
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm18, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm22
    vmovdqa64 xmm14, xmm23
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm21, xmm20, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm21
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm22, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm26
    vmovdqa64 xmm14, xmm27
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm25, xmm24, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm25
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm26, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm30
    vmovdqa64 xmm14, xmm31
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm29, xmm28, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm29
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm30, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm19
    vmovdqa64 xmm14, xmm16
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm18, xmm17, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm18
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm19, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm23
    vmovdqa64 xmm14, xmm20
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm22, xmm21, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm22
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm23, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm27
    vmovdqa64 xmm14, xmm24
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm26, xmm25, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm26
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm27, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm31
    vmovdqa64 xmm14, xmm28
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm30, xmm29, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm30
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm31, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm16
    vmovdqa64 xmm14, xmm17
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm19, xmm18, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm19
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm16, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm20
    vmovdqa64 xmm14, xmm21
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm23, xmm22, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm23
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm20, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm24
    vmovdqa64 xmm14, xmm25
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm27, xmm26, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm27
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm24, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm28
    vmovdqa64 xmm14, xmm29
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm31, xmm30, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm31
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm28, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm17
    vmovdqa64 xmm14, xmm18
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm16, xmm19, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm16
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm17, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm21
    vmovdqa64 xmm14, xmm22
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm20, xmm23, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm20
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm21, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm25
    vmovdqa64 xmm14, xmm26
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm24, xmm27, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm24
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm25, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm29
    vmovdqa64 xmm14, xmm30
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm28, xmm31, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm28
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm29, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm18
    vmovdqa64 xmm14, xmm19
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm17, xmm16, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm17
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm18, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm22
    vmovdqa64 xmm14, xmm23
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm21, xmm20, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm21
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm22, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm4, xmm3
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm1, xmm2
    vmovdqa64 xmm13, xmm26
    vmovdqa64 xmm14, xmm27
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm25, xmm24, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm25
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm26, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm3, xmm4
    vmovdqa64 xmm13, xmm30
    vmovdqa64 xmm14, xmm31
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm29, xmm28, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm29
    sha256msg2 xmm13, xmm14
    vmovdqa64 xmm30, xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa64 xmm13, xmm19
    vmovdqa64 xmm14, xmm16
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm18, xmm17, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm18
    sha256msg2 xmm13, xmm14
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm2, xmm1
    vmovdqa64 xmm13, xmm23
    vmovdqa64 xmm14, xmm20
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm22, xmm21, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm22
    sha256msg2 xmm13, xmm14
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm4, xmm3
    vmovdqa64 xmm13, xmm27
    vmovdqa64 xmm14, xmm24
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm26, xmm25, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm26
    sha256msg2 xmm13, xmm14
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm6, xmm5
    vmovdqa64 xmm13, xmm31
    vmovdqa64 xmm14, xmm28
    sha256msg1 xmm13, xmm14
    vpalignr xmm14, xmm30, xmm29, 4
    vpaddd xmm13, xmm13, xmm14
    vmovdqa64 xmm14, xmm30
    sha256msg2 xmm13, xmm14
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm8, xmm7
    vpunpckldq xmm13, xmm2, xmm4
    vpunpckldq xmm14, xmm6, xmm8
    vpunpcklqdq xmm13, xmm13, xmm14
    vpaddd xmm13, xmm13, [rdi+{iv7}]
    vptestnmd k2, xmm13, [rdi+{filter}]
    kmovw eax, k2
    mov [rdi+{stop}], esi
    and eax, 15
    jnz 3f
    add esi, 4
    dec rdx
    jnz 2b
3:
    ret
