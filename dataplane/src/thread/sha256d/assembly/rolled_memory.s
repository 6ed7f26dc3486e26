    xor r10d, r10d
    lea rcx, [rdi+{schedules}]
    lea r11, [rdi+{schedules}+240]
    .p2align 6
2:
    # batch 0
    vpaddd xmm1, xmm1, [rdi+{starts}+224]
    vpaddd xmm2, xmm2, [rdi+{starts}+240]
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
    vpaddd xmm3, xmm3, [rdi+{starts}+288]
    vpaddd xmm4, xmm4, [rdi+{starts}+304]
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
    vpaddd xmm5, xmm5, [rdi+{starts}+352]
    vpaddd xmm6, xmm6, [rdi+{starts}+368]
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
    vpaddd xmm3, xmm13, [rdi+{starts}+64]
    vmovdqa xmm4, [rdi+{starts}+80]
    vpaddd xmm5, xmm13, [rdi+{starts}+128]
    vmovdqa xmm6, [rdi+{starts}+144]
    vmovdqa xmm0, [rcx+0]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovq xmm0, [rcx+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+0+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+256+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+512+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+16]
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
    vmovdqa xmm0, [rdi+{kw_of}+272+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+80]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+80+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+128], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+528+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+24]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+16+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+96+0], xmm0
    vmovdqa [rdi+{w}+96], xmm13
    vmovdqa [rdi+{w}+80], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+144], xmm15
    vmovq xmm0, [rdi+{kw_of}+272+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+528+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+32]
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
    vmovdqa xmm0, [rdi+{k8}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vpaddd xmm15, xmm15, [rdi+{early}+336]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+336+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+384], xmm14
    vmovq xmm0, [rcx+40]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+352+0], xmm0
    vmovdqa [rdi+{w}+352], xmm13
    vmovdqa [rdi+{w}+336], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+400], xmm15
    vmovq xmm0, [rdi+{k8}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+48]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa xmm14, [rdi+{early}+576]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+576+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+624], xmm13
    vmovdqa xmm0, [rdi+{k12}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vpaddd xmm15, xmm15, [rdi+{early}+592]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+592+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+640], xmm14
    vmovq xmm0, [rcx+56]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+608+0], xmm0
    vmovdqa [rdi+{w}+608], xmm13
    vmovdqa [rdi+{w}+592], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+656], xmm15
    vmovq xmm0, [rdi+{k12}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+64]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+96]
    vpalignr xmm14, xmm13, [rdi+{w}+80], 4
    vpaddd xmm14, xmm14, [rdi+{early}+112]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+112+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+160], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+64+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+320+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+128]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+128+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+176], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+576+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+72]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+64+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+144]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+144+0], xmm0
    vmovdqa [rdi+{w}+144], xmm13
    vmovdqa [rdi+{w}+128], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+192], xmm15
    vmovq xmm0, [rdi+{kw_of}+320+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+576+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+80]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+352]
    vpalignr xmm14, xmm13, [rdi+{w}+336], 4
    vpaddd xmm14, xmm14, [rdi+{early}+368]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+368+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+416], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+80+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+336+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+384]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+384+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+432], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+592+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+88]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+80+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+400]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+400+0], xmm0
    vmovdqa [rdi+{w}+400], xmm13
    vmovdqa [rdi+{w}+384], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+448], xmm15
    vmovq xmm0, [rdi+{kw_of}+336+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+592+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+96]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+608]
    vpalignr xmm14, xmm13, [rdi+{w}+592], 4
    vpaddd xmm14, xmm14, [rdi+{early}+624]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+624+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+672], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+96+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+352+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+640]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+640+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+688], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+608+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+104]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+96+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+656]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+656+0], xmm0
    vmovdqa [rdi+{w}+656], xmm13
    vmovdqa [rdi+{w}+640], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+704], xmm15
    vmovq xmm0, [rdi+{kw_of}+352+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+608+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+112]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+144]
    vpalignr xmm14, xmm13, [rdi+{w}+128], 4
    vpaddd xmm14, xmm14, [rdi+{early}+160]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+160+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+208], xmm13
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
    vmovq xmm0, [rcx+120]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+112+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+192]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+192+0], xmm0
    vmovdqa [rdi+{w}+192], xmm13
    vmovdqa [rdi+{w}+176], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+240], xmm15
    vmovq xmm0, [rdi+{kw_of}+368+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+624+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+128]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+400]
    vpalignr xmm14, xmm13, [rdi+{w}+384], 4
    vpaddd xmm14, xmm14, [rdi+{early}+416]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+416+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+464], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+128+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+384+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+432]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+432+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+480], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+640+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+136]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+128+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+448]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+448+0], xmm0
    vmovdqa [rdi+{w}+448], xmm13
    vmovdqa [rdi+{w}+432], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+496], xmm15
    vmovq xmm0, [rdi+{kw_of}+384+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+640+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+144]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+656]
    vpalignr xmm14, xmm13, [rdi+{w}+640], 4
    vpaddd xmm14, xmm14, [rdi+{early}+672]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+672+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+720], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+144+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+400+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+688]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+688+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+736], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+656+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+152]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+144+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+704]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+704+0], xmm0
    vmovdqa [rdi+{w}+704], xmm13
    vmovdqa [rdi+{w}+688], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+752], xmm15
    vmovq xmm0, [rdi+{kw_of}+400+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+656+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+160]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+192]
    vpalignr xmm14, xmm13, [rdi+{w}+176], 4
    vpaddd xmm14, xmm14, [rdi+{early}+208]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+208+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovdqa xmm0, [rdi+{kw_of}+160+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+416+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+224]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+224+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovdqa xmm0, [rdi+{kw_of}+672+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+168]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+160+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+240]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+240+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+416+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+672+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+176]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+448]
    vpalignr xmm14, xmm13, [rdi+{w}+432], 4
    vpaddd xmm14, xmm14, [rdi+{early}+464]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+464+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
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
    vmovq xmm0, [rcx+184]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+176+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+496]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+496+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+432+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+688+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+192]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+704]
    vpalignr xmm14, xmm13, [rdi+{w}+688], 4
    vpaddd xmm14, xmm14, [rdi+{early}+720]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+720+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovdqa xmm0, [rdi+{kw_of}+192+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+448+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+736]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+736+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovdqa xmm0, [rdi+{kw_of}+704+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+200]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+192+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+752]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+752+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+448+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+704+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+208]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
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
    vmovdqa xmm0, [rdi+{kw_of}+208+0]
    sha256rnds2 xmm8, xmm7
    mov r8, rax
    vmovdqa xmm0, [rdi+{kw_of}+464+0]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm0, [rdi+{kw_of}+720+0]
    sha256rnds2 xmm12, xmm11
    vmovdqa xmm15, [rdi+{w16}]
    vmovq xmm14, r9
    vpslldq xmm14, xmm14, 8
    vpaddd xmm14, xmm14, xmm15
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [r11+48], xmm0
    vmovq xmm0, [rcx+216]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovdqa xmm15, [rdi+{x20}]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [r11+64], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+896], xmm14
    vmovq xmm0, [rdi+{kw_of}+208+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+464+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{m24}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [r11+80], xmm0
    vmovdqa [rdi+{w}+864], xmm13
    vmovdqa [rdi+{w}+848], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+912], xmm15
    vmovq xmm0, [rdi+{kw_of}+720+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+224]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+864]
    vpalignr xmm14, xmm13, [rdi+{w}+848], 4
    vpaddd xmm14, xmm14, [rdi+{m28}]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [r11+96], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+928], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+224+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+480+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+896]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [r11+112], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+944], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+736+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+232]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+224+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+912]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [r11+128], xmm0
    vmovdqa [rdi+{w}+912], xmm13
    vmovdqa [rdi+{w}+896], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+960], xmm15
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
    # batch 1
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
    vpaddd xmm3, xmm3, [rdi+{starts}+96]
    vpaddd xmm4, xmm4, [rdi+{starts}+112]
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
    vpaddd xmm5, xmm5, [rdi+{starts}+160]
    vpaddd xmm6, xmm6, [rdi+{starts}+176]
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
    vpaddd xmm1, xmm13, [rdi+{starts}+192]
    vmovdqa xmm2, [rdi+{starts}+208]
    vpaddd xmm3, xmm13, [rdi+{starts}+256]
    vmovdqa xmm4, [rdi+{starts}+272]
    vpaddd xmm5, xmm13, [rdi+{starts}+320]
    vmovdqa xmm6, [rdi+{starts}+336]
    vmovdqa xmm0, [rcx+0]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+912]
    vpalignr xmm14, xmm13, [rdi+{w}+896], 4
    vpaddd xmm14, xmm14, [rdi+{early}+928]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [r11+144], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+976], xmm13
    vmovq xmm0, [rcx+8]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vpaddd xmm15, xmm15, [rdi+{early}+944]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [r11+160], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+992], xmm14
    vmovq xmm0, [rdi+{kw_of}+0+8]
    sha256rnds2 xmm7, xmm8
    vmovq xmm0, [rdi+{kw_of}+256+8]
    sha256rnds2 xmm9, xmm10
    vpaddd xmm13, xmm13, [rdi+{early}+960]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [r11+176], xmm0
    vmovdqa [rdi+{w}+960], xmm13
    vmovdqa [rdi+{w}+944], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+1008], xmm15
    vmovq xmm0, [rdi+{kw_of}+512+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+16]
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
    vmovdqa xmm0, [rdi+{kw_of}+272+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+80]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+80+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+128], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+528+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+24]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+16+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+96+0], xmm0
    vmovdqa [rdi+{w}+96], xmm13
    vmovdqa [rdi+{w}+80], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+144], xmm15
    vmovq xmm0, [rdi+{kw_of}+272+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+528+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+32]
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
    vmovdqa xmm0, [rdi+{k8}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vpaddd xmm15, xmm15, [rdi+{early}+336]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+336+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+384], xmm14
    vmovq xmm0, [rcx+40]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+352+0], xmm0
    vmovdqa [rdi+{w}+352], xmm13
    vmovdqa [rdi+{w}+336], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+400], xmm15
    vmovq xmm0, [rdi+{k8}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+48]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w12}]
    vmovdqa xmm14, [rdi+{early}+576]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+64]
    vmovdqa [rdi+{kw_of}+576+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+624], xmm13
    vmovdqa xmm0, [rdi+{k12}]
    sha256rnds2 xmm8, xmm7
    sha256rnds2 xmm10, xmm9
    sha256rnds2 xmm12, xmm11
    vpaddd xmm15, xmm15, [rdi+{early}+592]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+80]
    vmovdqa [rdi+{kw_of}+592+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+640], xmm14
    vmovq xmm0, [rcx+56]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vpaddd xmm13, xmm13, [rdi+{w8}]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+96]
    vmovdqa [rdi+{kw_of}+608+0], xmm0
    vmovdqa [rdi+{w}+608], xmm13
    vmovdqa [rdi+{w}+592], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+656], xmm15
    vmovq xmm0, [rdi+{k12}+8]
    sha256rnds2 xmm7, xmm8
    sha256rnds2 xmm9, xmm10
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+64]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+96]
    vpalignr xmm14, xmm13, [rdi+{w}+80], 4
    vpaddd xmm14, xmm14, [rdi+{early}+112]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+112+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+160], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+64+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+320+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+128]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+128+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+176], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+576+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+72]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+64+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+144]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+144+0], xmm0
    vmovdqa [rdi+{w}+144], xmm13
    vmovdqa [rdi+{w}+128], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+192], xmm15
    vmovq xmm0, [rdi+{kw_of}+320+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+576+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+80]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+352]
    vpalignr xmm14, xmm13, [rdi+{w}+336], 4
    vpaddd xmm14, xmm14, [rdi+{early}+368]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+368+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+416], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+80+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+336+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+384]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+384+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+432], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+592+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+88]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+80+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+400]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+400+0], xmm0
    vmovdqa [rdi+{w}+400], xmm13
    vmovdqa [rdi+{w}+384], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+448], xmm15
    vmovq xmm0, [rdi+{kw_of}+336+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+592+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+96]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+608]
    vpalignr xmm14, xmm13, [rdi+{w}+592], 4
    vpaddd xmm14, xmm14, [rdi+{early}+624]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+112]
    vmovdqa [rdi+{kw_of}+624+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+672], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+96+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+352+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+640]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+128]
    vmovdqa [rdi+{kw_of}+640+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+688], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+608+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+104]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+96+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+656]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+144]
    vmovdqa [rdi+{kw_of}+656+0], xmm0
    vmovdqa [rdi+{w}+656], xmm13
    vmovdqa [rdi+{w}+640], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+704], xmm15
    vmovq xmm0, [rdi+{kw_of}+352+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+608+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+112]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+144]
    vpalignr xmm14, xmm13, [rdi+{w}+128], 4
    vpaddd xmm14, xmm14, [rdi+{early}+160]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+160+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+208], xmm13
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
    vmovq xmm0, [rcx+120]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+112+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+192]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+192+0], xmm0
    vmovdqa [rdi+{w}+192], xmm13
    vmovdqa [rdi+{w}+176], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+240], xmm15
    vmovq xmm0, [rdi+{kw_of}+368+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+624+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+128]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+400]
    vpalignr xmm14, xmm13, [rdi+{w}+384], 4
    vpaddd xmm14, xmm14, [rdi+{early}+416]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+416+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+464], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+128+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+384+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+432]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+432+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+480], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+640+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+136]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+128+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+448]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+448+0], xmm0
    vmovdqa [rdi+{w}+448], xmm13
    vmovdqa [rdi+{w}+432], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+496], xmm15
    vmovq xmm0, [rdi+{kw_of}+384+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+640+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+144]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+656]
    vpalignr xmm14, xmm13, [rdi+{w}+640], 4
    vpaddd xmm14, xmm14, [rdi+{early}+672]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+160]
    vmovdqa [rdi+{kw_of}+672+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    sha256msg1 xmm13, xmm14
    vmovdqa [rdi+{early}+720], xmm13
    vmovdqa xmm0, [rdi+{kw_of}+144+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+400+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+688]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+176]
    vmovdqa [rdi+{kw_of}+688+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    sha256msg1 xmm14, xmm15
    vmovdqa [rdi+{early}+736], xmm14
    vmovdqa xmm0, [rdi+{kw_of}+656+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+152]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+144+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+704]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+192]
    vmovdqa [rdi+{kw_of}+704+0], xmm0
    vmovdqa [rdi+{w}+704], xmm13
    vmovdqa [rdi+{w}+688], xmm15
    sha256msg1 xmm15, xmm13
    vmovdqa [rdi+{early}+752], xmm15
    vmovq xmm0, [rdi+{kw_of}+400+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+656+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+160]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+192]
    vpalignr xmm14, xmm13, [rdi+{w}+176], 4
    vpaddd xmm14, xmm14, [rdi+{early}+208]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+208+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovdqa xmm0, [rdi+{kw_of}+160+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+416+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+224]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+224+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovdqa xmm0, [rdi+{kw_of}+672+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+168]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+160+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+240]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+240+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+416+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+672+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+176]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+448]
    vpalignr xmm14, xmm13, [rdi+{w}+432], 4
    vpaddd xmm14, xmm14, [rdi+{early}+464]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+464+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
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
    vmovq xmm0, [rcx+184]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+176+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+496]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+496+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+432+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+688+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+192]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+704]
    vpalignr xmm14, xmm13, [rdi+{w}+688], 4
    vpaddd xmm14, xmm14, [rdi+{early}+720]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [rdi+{kw_of}+720+0], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovdqa xmm0, [rdi+{kw_of}+192+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+448+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+736]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [rdi+{kw_of}+736+0], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovdqa xmm0, [rdi+{kw_of}+704+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+200]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+192+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+752]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [rdi+{kw_of}+752+0], xmm0
    vmovq xmm0, [rdi+{kw_of}+448+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+704+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+208]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    vmovdqa xmm13, [rdi+{w}+960]
    vpalignr xmm14, xmm13, [rdi+{w}+944], 4
    vpaddd xmm14, xmm14, [rdi+{early}+976]
    sha256msg2 xmm14, xmm13
    vpaddd xmm0, xmm14, [rdi+{k}+208]
    vmovdqa [r11+192], xmm0
    vpalignr xmm15, xmm14, xmm13, 4
    vmovdqa xmm0, [rdi+{kw_of}+208+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+464+0]
    sha256rnds2 xmm10, xmm9
    vpaddd xmm15, xmm15, [rdi+{early}+992]
    sha256msg2 xmm15, xmm14
    vpaddd xmm0, xmm15, [rdi+{k}+224]
    vmovdqa [r11+208], xmm0
    vpalignr xmm13, xmm15, xmm14, 4
    vmovdqa xmm0, [rdi+{kw_of}+720+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+216]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
    vmovq xmm0, [rdi+{kw_of}+208+8]
    sha256rnds2 xmm7, xmm8
    vpaddd xmm13, xmm13, [rdi+{early}+1008]
    sha256msg2 xmm13, xmm15
    vpaddd xmm0, xmm13, [rdi+{k}+240]
    vmovdqa [r11+224], xmm0
    vmovq xmm0, [rdi+{kw_of}+464+8]
    sha256rnds2 xmm9, xmm10
    vmovq xmm0, [rdi+{kw_of}+720+8]
    sha256rnds2 xmm11, xmm12
    vmovdqa xmm0, [rcx+224]
    sha256rnds2 xmm2, xmm1
    sha256rnds2 xmm4, xmm3
    sha256rnds2 xmm6, xmm5
    mov [rdi+{words}+0], r8
    vmovdqa xmm0, [rdi+{kw_of}+224+0]
    sha256rnds2 xmm8, xmm7
    vmovdqa xmm0, [rdi+{kw_of}+480+0]
    sha256rnds2 xmm10, xmm9
    vmovdqa xmm0, [rdi+{kw_of}+736+0]
    sha256rnds2 xmm12, xmm11
    vmovq xmm0, [rcx+232]
    sha256rnds2 xmm1, xmm2
    sha256rnds2 xmm3, xmm4
    sha256rnds2 xmm5, xmm6
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
    jnz 31f
41:
    xchg rcx, r11
    mov [rdi+{stop}], esi
    add esi, 1
    # room for the results of one more iteration?
    cmp r10d, {room}
    ja 6f
    dec rdx
    jnz 2b
6:
    mov [rdi+{found_len}], r10d
    ret
30:
    lea r9d, [rsi-1]
    shl eax, 3
    mov [rdi+r10*8+{found}], r9d
    mov [rdi+r10*8+{found}+4], eax
    inc r10d
    jmp 40b
31:
    mov r9d, esi
    shl eax, 0
    mov [rdi+r10*8+{found}], r9d
    mov [rdi+r10*8+{found}+4], eax
    inc r10d
    jmp 41b
