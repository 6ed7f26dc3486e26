    xor r10d, r10d
    lea rcx, [rdi+{schedules}]
    lea r11, [rdi+{schedules}+240]
    .p2align 6
2:
    # the nonce as a message word, where it is added to ABEF
    mov eax, esi
    bswap eax
    shl rax, 32
    vmovq xmm13, rax
    vpunpcklqdq xmm13, xmm13, xmm13
    vmovdqa [rdi+{word}], xmm13
    # batch 0
    vpaddd xmm1, xmm1, [rdi+{starts}+224]
    vpaddd xmm2, xmm2, [rdi+{starts}+240]
    vpaddd xmm3, xmm3, [rdi+{starts}+288]
    vpaddd xmm4, xmm4, [rdi+{starts}+304]
    vpaddd xmm5, xmm5, [rdi+{starts}+352]
    vpaddd xmm6, xmm6, [rdi+{starts}+368]
    vshufps xmm13, xmm1, xmm2, 0xbb
    vshufps xmm14, xmm1, xmm2, 0x11
    vmovdqa [rdi+{w}+0], xmm13
    vmovdqa [rdi+{w}+16], xmm14
    vshufps xmm13, xmm3, xmm4, 0xbb
    vshufps xmm14, xmm3, xmm4, 0x11
    vmovdqa [rdi+{w}+64], xmm13
    vmovdqa [rdi+{w}+80], xmm14
    vshufps xmm13, xmm5, xmm6, 0xbb
    vshufps xmm14, xmm5, xmm6, 0x11
    vmovdqa [rdi+{w}+128], xmm13
    vmovdqa [rdi+{w}+144], xmm14
    vmovdqa xmm13, [rdi+{word}]
    vpaddd xmm1, xmm13, [rdi+{starts}+0]
    vmovdqa xmm2, [rdi+{starts}+16]
    vpaddd xmm3, xmm13, [rdi+{starts}+64]
    vmovdqa xmm4, [rdi+{starts}+80]
    vpaddd xmm5, xmm13, [rdi+{starts}+128]
    vmovdqa xmm6, [rdi+{starts}+144]
    vmovdqa xmm7, [rdi+{iv_abef}]
    vmovdqa xmm8, [rdi+{iv_cdgh}]
    vmovdqa xmm9, [rdi+{iv_abef}]
    vmovdqa xmm10, [rdi+{iv_cdgh}]
    vmovdqa xmm11, [rdi+{iv_abef}]
    vmovdqa xmm12, [rdi+{iv_cdgh}]
    # the next nonce's own terms of words 18 and 19
    lea eax, [rsi+1]
    bswap eax
    rorx r8d, eax, 7
    rorx r9d, eax, 18
    xor r9d, r8d
    mov r8d, eax
    shr r8d, 3
    xor r9d, r8d
    shl rax, 32
    or r9, rax
    vmovdqa xmm0, [rcx+0]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+16]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    vpaddd xmm0, xmm13, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    vpaddd xmm0, xmm13, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    vpaddd xmm0, xmm13, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+24]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+32]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{k8}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vmovdqa xmm13, [rdi+{w16}]
    vmovq xmm14, r9
    vpslldq xmm14, xmm14, 8
    vpaddd xmm13, xmm13, xmm14
    vmovdqa [rdi+{w}+192], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+64]
    vmovdqa [r11+48], xmm14
    vmovq xmm0, [rcx+40]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{k8}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+48]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{k12}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+56]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{k12}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+64]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    sha256msg1 xmm13, [rdi+{w}+16]
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa [rdi+{w}+0], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    sha256msg1 xmm13, [rdi+{w}+80]
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa [rdi+{w}+64], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    sha256msg1 xmm13, [rdi+{w}+144]
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa [rdi+{w}+128], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{x20}]
    sha256msg2 xmm13, [rdi+{w}+192]
    vmovdqa [rdi+{w}+208], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+80]
    vmovdqa [r11+64], xmm14
    vmovq xmm0, [rcx+72]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+80]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    sha256msg1 xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+0]
    vpalignr xmm14, xmm14, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+0]
    vmovdqa [rdi+{w}+16], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    sha256msg1 xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+64]
    vpalignr xmm14, xmm14, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+64]
    vmovdqa [rdi+{w}+80], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    sha256msg1 xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+128]
    vpalignr xmm14, xmm14, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+128]
    vmovdqa [rdi+{w}+144], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+88]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+96]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+16]
    vpalignr xmm14, xmm14, [rdi+{w}+0], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+16]
    vmovdqa [rdi+{w}+32], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+80]
    vpalignr xmm14, xmm14, [rdi+{w}+64], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+80]
    vmovdqa [rdi+{w}+96], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+144]
    vpalignr xmm14, xmm14, [rdi+{w}+128], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+144]
    vmovdqa [rdi+{w}+160], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{m24}]
    vmovdqa xmm14, [rdi+{w}+208]
    vpalignr xmm14, xmm14, [rdi+{w}+192], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+208]
    vmovdqa [rdi+{w}+224], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+96]
    vmovdqa [r11+80], xmm14
    vmovq xmm0, [rcx+104]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+112]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w12}]
    sha256msg1 xmm13, [rdi+{w}+0]
    vmovdqa xmm14, [rdi+{w}+32]
    vpalignr xmm14, xmm14, [rdi+{w}+16], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+32]
    vmovdqa [rdi+{w}+48], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w12}]
    sha256msg1 xmm13, [rdi+{w}+64]
    vmovdqa xmm14, [rdi+{w}+96]
    vpalignr xmm14, xmm14, [rdi+{w}+80], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+96]
    vmovdqa [rdi+{w}+112], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w12}]
    sha256msg1 xmm13, [rdi+{w}+128]
    vmovdqa xmm14, [rdi+{w}+160]
    vpalignr xmm14, xmm14, [rdi+{w}+144], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+160]
    vmovdqa [rdi+{w}+176], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+120]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+128]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    sha256msg1 xmm13, [rdi+{w}+16]
    vmovdqa xmm14, [rdi+{w}+48]
    vpalignr xmm14, xmm14, [rdi+{w}+32], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+48]
    vmovdqa [rdi+{w}+0], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    sha256msg1 xmm13, [rdi+{w}+80]
    vmovdqa xmm14, [rdi+{w}+112]
    vpalignr xmm14, xmm14, [rdi+{w}+96], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+112]
    vmovdqa [rdi+{w}+64], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    sha256msg1 xmm13, [rdi+{w}+144]
    vmovdqa xmm14, [rdi+{w}+176]
    vpalignr xmm14, xmm14, [rdi+{w}+160], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+176]
    vmovdqa [rdi+{w}+128], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{m28}]
    vmovdqa xmm14, [rdi+{w}+224]
    vpalignr xmm14, xmm14, [rdi+{w}+208], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+224]
    vmovdqa [rdi+{w}+240], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+112]
    vmovdqa [r11+96], xmm14
    vmovq xmm0, [rcx+136]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+144]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    sha256msg1 xmm13, [rdi+{w}+32]
    vmovdqa xmm14, [rdi+{w}+0]
    vpalignr xmm14, xmm14, [rdi+{w}+48], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+0]
    vmovdqa [rdi+{w}+16], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    sha256msg1 xmm13, [rdi+{w}+96]
    vmovdqa xmm14, [rdi+{w}+64]
    vpalignr xmm14, xmm14, [rdi+{w}+112], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+64]
    vmovdqa [rdi+{w}+80], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    sha256msg1 xmm13, [rdi+{w}+160]
    vmovdqa xmm14, [rdi+{w}+128]
    vpalignr xmm14, xmm14, [rdi+{w}+176], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+128]
    vmovdqa [rdi+{w}+144], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+152]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+160]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+32]
    sha256msg1 xmm13, [rdi+{w}+48]
    vmovdqa xmm14, [rdi+{w}+16]
    vpalignr xmm14, xmm14, [rdi+{w}+0], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+16]
    vmovdqa [rdi+{w}+32], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+96]
    sha256msg1 xmm13, [rdi+{w}+112]
    vmovdqa xmm14, [rdi+{w}+80]
    vpalignr xmm14, xmm14, [rdi+{w}+64], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+80]
    vmovdqa [rdi+{w}+96], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+160]
    sha256msg1 xmm13, [rdi+{w}+176]
    vmovdqa xmm14, [rdi+{w}+144]
    vpalignr xmm14, xmm14, [rdi+{w}+128], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+144]
    vmovdqa [rdi+{w}+160], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+168]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+176]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+48]
    sha256msg1 xmm13, [rdi+{w}+0]
    vmovdqa xmm14, [rdi+{w}+32]
    vpalignr xmm14, xmm14, [rdi+{w}+16], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+32]
    vmovdqa [rdi+{w}+48], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+112]
    sha256msg1 xmm13, [rdi+{w}+64]
    vmovdqa xmm14, [rdi+{w}+96]
    vpalignr xmm14, xmm14, [rdi+{w}+80], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+96]
    vmovdqa [rdi+{w}+112], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+176]
    sha256msg1 xmm13, [rdi+{w}+128]
    vmovdqa xmm14, [rdi+{w}+160]
    vpalignr xmm14, xmm14, [rdi+{w}+144], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+160]
    vmovdqa [rdi+{w}+176], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{w}+192]
    sha256msg1 xmm13, [rdi+{w}+208]
    vmovdqa xmm14, [rdi+{w}+240]
    vpalignr xmm14, xmm14, [rdi+{w}+224], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+240]
    vmovdqa [rdi+{w}+192], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+128]
    vmovdqa [r11+112], xmm14
    vmovq xmm0, [rcx+184]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+192]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    sha256msg1 xmm13, [rdi+{w}+16]
    vmovdqa xmm14, [rdi+{w}+48]
    vpalignr xmm14, xmm14, [rdi+{w}+32], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+48]
    vmovdqa [rdi+{w}+0], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    sha256msg1 xmm13, [rdi+{w}+80]
    vmovdqa xmm14, [rdi+{w}+112]
    vpalignr xmm14, xmm14, [rdi+{w}+96], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+112]
    vmovdqa [rdi+{w}+64], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    sha256msg1 xmm13, [rdi+{w}+144]
    vmovdqa xmm14, [rdi+{w}+176]
    vpalignr xmm14, xmm14, [rdi+{w}+160], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+176]
    vmovdqa [rdi+{w}+128], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+200]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+208]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    sha256msg1 xmm13, [rdi+{w}+32]
    vmovdqa xmm14, [rdi+{w}+0]
    vpalignr xmm14, xmm14, [rdi+{w}+48], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+0]
    vmovdqa [rdi+{w}+16], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    sha256msg1 xmm13, [rdi+{w}+96]
    vmovdqa xmm14, [rdi+{w}+64]
    vpalignr xmm14, xmm14, [rdi+{w}+112], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+64]
    vmovdqa [rdi+{w}+80], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    sha256msg1 xmm13, [rdi+{w}+160]
    vmovdqa xmm14, [rdi+{w}+128]
    vpalignr xmm14, xmm14, [rdi+{w}+176], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+128]
    vmovdqa [rdi+{w}+144], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{w}+208]
    sha256msg1 xmm13, [rdi+{w}+224]
    vmovdqa xmm14, [rdi+{w}+192]
    vpalignr xmm14, xmm14, [rdi+{w}+240], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+192]
    vmovdqa [rdi+{w}+208], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+144]
    vmovdqa [r11+128], xmm14
    vmovq xmm0, [rcx+216]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+224]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+32]
    sha256msg1 xmm13, [rdi+{w}+48]
    vmovdqa xmm14, [rdi+{w}+16]
    vpalignr xmm14, xmm14, [rdi+{w}+0], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+16]
    vmovdqa [rdi+{w}+32], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+96]
    sha256msg1 xmm13, [rdi+{w}+112]
    vmovdqa xmm14, [rdi+{w}+80]
    vpalignr xmm14, xmm14, [rdi+{w}+64], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+80]
    vmovdqa [rdi+{w}+96], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+160]
    sha256msg1 xmm13, [rdi+{w}+176]
    vmovdqa xmm14, [rdi+{w}+144]
    vpalignr xmm14, xmm14, [rdi+{w}+128], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+144]
    vmovdqa [rdi+{w}+160], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+232]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm13, [rdi+{w}+48]
    sha256msg1 xmm13, [rdi+{w}+0]
    vmovdqa xmm14, [rdi+{w}+32]
    vpalignr xmm14, xmm14, [rdi+{w}+16], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+32]
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+112]
    sha256msg1 xmm13, [rdi+{w}+64]
    vmovdqa xmm14, [rdi+{w}+96]
    vpalignr xmm14, xmm14, [rdi+{w}+80], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+96]
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm13, [rdi+{w}+176]
    sha256msg1 xmm13, [rdi+{w}+128]
    vmovdqa xmm14, [rdi+{w}+160]
    vpalignr xmm14, xmm14, [rdi+{w}+144], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+160]
    vpaddd xmm0, xmm13, [rdi+{k}+240]
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
    # batch 1
    vpaddd xmm1, xmm1, [rdi+{starts}+32]
    vpaddd xmm2, xmm2, [rdi+{starts}+48]
    vpaddd xmm3, xmm3, [rdi+{starts}+96]
    vpaddd xmm4, xmm4, [rdi+{starts}+112]
    vpaddd xmm5, xmm5, [rdi+{starts}+160]
    vpaddd xmm6, xmm6, [rdi+{starts}+176]
    vshufps xmm13, xmm1, xmm2, 0xbb
    vshufps xmm14, xmm1, xmm2, 0x11
    vmovdqa [rdi+{w}+0], xmm13
    vmovdqa [rdi+{w}+16], xmm14
    vshufps xmm13, xmm3, xmm4, 0xbb
    vshufps xmm14, xmm3, xmm4, 0x11
    vmovdqa [rdi+{w}+64], xmm13
    vmovdqa [rdi+{w}+80], xmm14
    vshufps xmm13, xmm5, xmm6, 0xbb
    vshufps xmm14, xmm5, xmm6, 0x11
    vmovdqa [rdi+{w}+128], xmm13
    vmovdqa [rdi+{w}+144], xmm14
    vmovdqa xmm13, [rdi+{word}]
    vpaddd xmm1, xmm13, [rdi+{starts}+192]
    vmovdqa xmm2, [rdi+{starts}+208]
    vpaddd xmm3, xmm13, [rdi+{starts}+256]
    vmovdqa xmm4, [rdi+{starts}+272]
    vpaddd xmm5, xmm13, [rdi+{starts}+320]
    vmovdqa xmm6, [rdi+{starts}+336]
    vmovdqa xmm7, [rdi+{iv_abef}]
    vmovdqa xmm8, [rdi+{iv_cdgh}]
    vmovdqa xmm9, [rdi+{iv_abef}]
    vmovdqa xmm10, [rdi+{iv_cdgh}]
    vmovdqa xmm11, [rdi+{iv_abef}]
    vmovdqa xmm12, [rdi+{iv_cdgh}]
    vmovdqa xmm0, [rcx+0]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    vpaddd xmm0, xmm13, [rdi+{k}+0]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{w}+224]
    sha256msg1 xmm13, [rdi+{w}+240]
    vmovdqa xmm14, [rdi+{w}+208]
    vpalignr xmm14, xmm14, [rdi+{w}+192], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+208]
    vmovdqa [rdi+{w}+224], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+160]
    vmovdqa [r11+144], xmm14
    vmovq xmm0, [rcx+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+16]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    vpaddd xmm0, xmm13, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    vpaddd xmm0, xmm13, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    vpaddd xmm0, xmm13, [rdi+{k}+16]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+24]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+32]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{k8}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vmovdqa xmm13, [rdi+{w}+240]
    sha256msg1 xmm13, [rdi+{w}+192]
    vmovdqa xmm14, [rdi+{w}+224]
    vpalignr xmm14, xmm14, [rdi+{w}+208], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+224]
    vmovdqa [rdi+{w}+240], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+176]
    vmovdqa [r11+160], xmm14
    vmovq xmm0, [rcx+40]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{k8}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+48]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm0, [rdi+{k12}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+56]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{k12}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+64]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    sha256msg1 xmm13, [rdi+{w}+16]
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa [rdi+{w}+0], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    sha256msg1 xmm13, [rdi+{w}+80]
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa [rdi+{w}+64], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    sha256msg1 xmm13, [rdi+{w}+144]
    sha256msg2 xmm13, [rdi+{w12}]
    vmovdqa [rdi+{w}+128], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+64]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+72]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+80]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    sha256msg1 xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+0]
    vpalignr xmm14, xmm14, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+0]
    vmovdqa [rdi+{w}+16], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    sha256msg1 xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+64]
    vpalignr xmm14, xmm14, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+64]
    vmovdqa [rdi+{w}+80], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    sha256msg1 xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+128]
    vpalignr xmm14, xmm14, [rdi+{w12}], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+128]
    vmovdqa [rdi+{w}+144], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+80]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{w}+192]
    sha256msg1 xmm13, [rdi+{w}+208]
    vmovdqa xmm14, [rdi+{w}+240]
    vpalignr xmm14, xmm14, [rdi+{w}+224], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+240]
    vmovdqa [rdi+{w}+192], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+192]
    vmovdqa [r11+176], xmm14
    vmovq xmm0, [rcx+88]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+96]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+16]
    vpalignr xmm14, xmm14, [rdi+{w}+0], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+16]
    vmovdqa [rdi+{w}+32], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+80]
    vpalignr xmm14, xmm14, [rdi+{w}+64], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+80]
    vmovdqa [rdi+{w}+96], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w8}]
    vmovdqa xmm14, [rdi+{w}+144]
    vpalignr xmm14, xmm14, [rdi+{w}+128], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+144]
    vmovdqa [rdi+{w}+160], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+104]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+112]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w12}]
    sha256msg1 xmm13, [rdi+{w}+0]
    vmovdqa xmm14, [rdi+{w}+32]
    vpalignr xmm14, xmm14, [rdi+{w}+16], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+32]
    vmovdqa [rdi+{w}+48], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w12}]
    sha256msg1 xmm13, [rdi+{w}+64]
    vmovdqa xmm14, [rdi+{w}+96]
    vpalignr xmm14, xmm14, [rdi+{w}+80], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+96]
    vmovdqa [rdi+{w}+112], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w12}]
    sha256msg1 xmm13, [rdi+{w}+128]
    vmovdqa xmm14, [rdi+{w}+160]
    vpalignr xmm14, xmm14, [rdi+{w}+144], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+160]
    vmovdqa [rdi+{w}+176], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+112]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{w}+208]
    sha256msg1 xmm13, [rdi+{w}+224]
    vmovdqa xmm14, [rdi+{w}+192]
    vpalignr xmm14, xmm14, [rdi+{w}+240], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+192]
    vmovdqa [rdi+{w}+208], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+208]
    vmovdqa [r11+192], xmm14
    vmovq xmm0, [rcx+120]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+128]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    sha256msg1 xmm13, [rdi+{w}+16]
    vmovdqa xmm14, [rdi+{w}+48]
    vpalignr xmm14, xmm14, [rdi+{w}+32], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+48]
    vmovdqa [rdi+{w}+0], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    sha256msg1 xmm13, [rdi+{w}+80]
    vmovdqa xmm14, [rdi+{w}+112]
    vpalignr xmm14, xmm14, [rdi+{w}+96], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+112]
    vmovdqa [rdi+{w}+64], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    sha256msg1 xmm13, [rdi+{w}+144]
    vmovdqa xmm14, [rdi+{w}+176]
    vpalignr xmm14, xmm14, [rdi+{w}+160], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+176]
    vmovdqa [rdi+{w}+128], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+128]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+136]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+144]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    sha256msg1 xmm13, [rdi+{w}+32]
    vmovdqa xmm14, [rdi+{w}+0]
    vpalignr xmm14, xmm14, [rdi+{w}+48], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+0]
    vmovdqa [rdi+{w}+16], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    sha256msg1 xmm13, [rdi+{w}+96]
    vmovdqa xmm14, [rdi+{w}+64]
    vpalignr xmm14, xmm14, [rdi+{w}+112], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+64]
    vmovdqa [rdi+{w}+80], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    sha256msg1 xmm13, [rdi+{w}+160]
    vmovdqa xmm14, [rdi+{w}+128]
    vpalignr xmm14, xmm14, [rdi+{w}+176], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+128]
    vmovdqa [rdi+{w}+144], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{w}+224]
    sha256msg1 xmm13, [rdi+{w}+240]
    vmovdqa xmm14, [rdi+{w}+208]
    vpalignr xmm14, xmm14, [rdi+{w}+192], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+208]
    vmovdqa [rdi+{w}+224], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+224]
    vmovdqa [r11+208], xmm14
    vmovq xmm0, [rcx+152]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+160]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+32]
    sha256msg1 xmm13, [rdi+{w}+48]
    vmovdqa xmm14, [rdi+{w}+16]
    vpalignr xmm14, xmm14, [rdi+{w}+0], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+16]
    vmovdqa [rdi+{w}+32], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+96]
    sha256msg1 xmm13, [rdi+{w}+112]
    vmovdqa xmm14, [rdi+{w}+80]
    vpalignr xmm14, xmm14, [rdi+{w}+64], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+80]
    vmovdqa [rdi+{w}+96], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+160]
    sha256msg1 xmm13, [rdi+{w}+176]
    vmovdqa xmm14, [rdi+{w}+144]
    vpalignr xmm14, xmm14, [rdi+{w}+128], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+144]
    vmovdqa [rdi+{w}+160], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+160]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+168]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+176]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+48]
    sha256msg1 xmm13, [rdi+{w}+0]
    vmovdqa xmm14, [rdi+{w}+32]
    vpalignr xmm14, xmm14, [rdi+{w}+16], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+32]
    vmovdqa [rdi+{w}+48], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+112]
    sha256msg1 xmm13, [rdi+{w}+64]
    vmovdqa xmm14, [rdi+{w}+96]
    vpalignr xmm14, xmm14, [rdi+{w}+80], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+96]
    vmovdqa [rdi+{w}+112], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+176]
    sha256msg1 xmm13, [rdi+{w}+128]
    vmovdqa xmm14, [rdi+{w}+160]
    vpalignr xmm14, xmm14, [rdi+{w}+144], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+160]
    vmovdqa [rdi+{w}+176], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+176]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm9, xmm10
    vmovdqa xmm13, [rdi+{w}+240]
    sha256msg1 xmm13, [rdi+{w}+192]
    vmovdqa xmm14, [rdi+{w}+224]
    vpalignr xmm14, xmm14, [rdi+{w}+208], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+224]
    vmovdqa [rdi+{w}+240], xmm13
    vpaddd xmm14, xmm13, [rdi+{k}+240]
    vmovdqa [r11+224], xmm14
    vmovq xmm0, [rcx+184]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+192]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+0]
    sha256msg1 xmm13, [rdi+{w}+16]
    vmovdqa xmm14, [rdi+{w}+48]
    vpalignr xmm14, xmm14, [rdi+{w}+32], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+48]
    vmovdqa [rdi+{w}+0], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+64]
    sha256msg1 xmm13, [rdi+{w}+80]
    vmovdqa xmm14, [rdi+{w}+112]
    vpalignr xmm14, xmm14, [rdi+{w}+96], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+112]
    vmovdqa [rdi+{w}+64], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+112], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+128]
    sha256msg1 xmm13, [rdi+{w}+144]
    vmovdqa xmm14, [rdi+{w}+176]
    vpalignr xmm14, xmm14, [rdi+{w}+160], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+176]
    vmovdqa [rdi+{w}+128], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{spill}+0], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+120]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+200]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+208]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+16]
    sha256msg1 xmm13, [rdi+{w}+32]
    vmovdqa xmm14, [rdi+{w}+0]
    vpalignr xmm14, xmm14, [rdi+{w}+48], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+0]
    vmovdqa [rdi+{w}+16], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+16], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+80]
    sha256msg1 xmm13, [rdi+{w}+96]
    vmovdqa xmm14, [rdi+{w}+64]
    vpalignr xmm14, xmm14, [rdi+{w}+112], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+64]
    vmovdqa [rdi+{w}+80], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+32], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+24]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+144]
    sha256msg1 xmm13, [rdi+{w}+160]
    vmovdqa xmm14, [rdi+{w}+128]
    vpalignr xmm14, xmm14, [rdi+{w}+176], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+128]
    vmovdqa [rdi+{w}+144], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+208]
    vmovdqa [rdi+{spill}+48], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+40]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+216]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+56]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+224]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+32]
    sha256msg1 xmm13, [rdi+{w}+48]
    vmovdqa xmm14, [rdi+{w}+16]
    vpalignr xmm14, xmm14, [rdi+{w}+0], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+16]
    vmovdqa [rdi+{w}+32], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+64], xmm0
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+96]
    sha256msg1 xmm13, [rdi+{w}+112]
    vmovdqa xmm14, [rdi+{w}+80]
    vpalignr xmm14, xmm14, [rdi+{w}+64], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+80]
    vmovdqa [rdi+{w}+96], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+80], xmm0
    sha256rnds2 xmm10, xmm9
    vmovq xmm0, [rdi+{spill}+72]
    sha256rnds2 xmm7, xmm8
    vmovdqa xmm13, [rdi+{w}+160]
    sha256msg1 xmm13, [rdi+{w}+176]
    vmovdqa xmm14, [rdi+{w}+144]
    vpalignr xmm14, xmm14, [rdi+{w}+128], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+144]
    vmovdqa [rdi+{w}+160], xmm13
    vpaddd xmm0, xmm13, [rdi+{k}+224]
    vmovdqa [rdi+{spill}+96], xmm0
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rdi+{spill}+88]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rcx+232]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{spill}+104]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm13, [rdi+{w}+48]
    sha256msg1 xmm13, [rdi+{w}+0]
    vmovdqa xmm14, [rdi+{w}+32]
    vpalignr xmm14, xmm14, [rdi+{w}+16], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+32]
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm13, [rdi+{w}+112]
    sha256msg1 xmm13, [rdi+{w}+64]
    vmovdqa xmm14, [rdi+{w}+96]
    vpalignr xmm14, xmm14, [rdi+{w}+80], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+96]
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm13, [rdi+{w}+176]
    sha256msg1 xmm13, [rdi+{w}+128]
    vmovdqa xmm14, [rdi+{w}+160]
    vpalignr xmm14, xmm14, [rdi+{w}+144], 4
    vpaddd xmm13, xmm13, xmm14
    sha256msg2 xmm13, [rdi+{w}+160]
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    sha256rnds2 xmm12, xmm11
    vpunpckldq xmm13, xmm8, xmm10
    vpunpcklqdq xmm13, xmm13, xmm12
    vpaddd xmm13, xmm13, [rdi+{iv7}]
    vpand xmm13, xmm13, [rdi+{filter}]
    vpxor xmm14, xmm14, xmm14
    vpcmpeqd xmm13, xmm13, xmm14
    vmovmskps eax, xmm13
    and eax, 7
    jnz 31f
41:
    xchg rcx, r11
    mov [rdi+{stop}], esi
    inc esi
    # room for the results of one more iteration?
    cmp r10d, {room}
    ja 6f
    dec rdx
    jnz 2b
6:
    mov [rdi+{found_len}], r10d
    ret
30:
    lea r8d, [rsi-1]
    shl eax, 3
    mov [rdi+r10*8+{found}], r8d
    mov [rdi+r10*8+{found}+4], eax
    inc r10d
    jmp 40b
31:
    mov r8d, esi
    shl eax, 0
    mov [rdi+r10*8+{found}], r8d
    mov [rdi+r10*8+{found}+4], eax
    inc r10d
    jmp 41b
