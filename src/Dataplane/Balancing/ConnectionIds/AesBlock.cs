using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>AES-128 of single blocks (FIPS 197). Immutable, so that all workers share it; allocates nothing.</summary>
/// <remarks>The platform's class makes a context for each call on Linux, and its transforms are one thread's. Blocks are numbers whose highest byte is the first.
/// Without instructions for AES it looks bytes up in tables, and what that takes depends on key and block: who can measure it on the machine could learn the key,
/// which hides which server a connection belongs to and nothing else.</remarks>
internal sealed class AesBlock
{
    /// <summary>Bytes of a key, and of a block.</summary>
    public const int KeyBytes = 16;

    private const int Rounds = 10;

    private static readonly byte[] s_box = MakeBox();
    private static readonly byte[] s_inverseBox = Invert(s_box);

    private readonly byte[] _schedule;
    private readonly Vector128<byte>[] _encryption = new Vector128<byte>[Rounds + 1];
    private readonly Vector128<byte>[] _decryption = new Vector128<byte>[Rounds + 1];
    private readonly bool _hasInstructions;

    /// <summary>Takes a key of 16 bytes.</summary>
    /// <param name="key">The key.</param>
    /// <param name="mayUseInstructions">False for the tables even where there are instructions: for tests.</param>
    public AesBlock(ReadOnlySpan<byte> key, bool mayUseInstructions = true)
    {
        _schedule = Expand(key);
        _hasInstructions = mayUseInstructions && Aes.IsSupported && BitConverter.IsLittleEndian;
        if (!_hasInstructions)
        {
            return;
        }

        for (int round = 0; round <= Rounds; round++)
        {
            _encryption[round] = Vector128.Create(_schedule.AsSpan(round * KeyBytes, KeyBytes));
        }

        // The equivalent inverse cipher (FIPS 197, 5.3.5): keys in reverse order, those in between mixed.
        for (int round = 0; round <= Rounds; round++)
        {
            Vector128<byte> forward = _encryption[Rounds - round];
            _decryption[round] = round is 0 or Rounds ? forward : Aes.InverseMixColumns(forward);
        }
    }

    /// <summary>Encrypts a block.</summary>
    public UInt128 Encrypt(UInt128 block)
    {
        if (!_hasInstructions)
        {
            return EncryptByTables(block);
        }

        Vector128<byte> state = ToVector(block) ^ _encryption[0];
        for (int round = 1; round < Rounds; round++)
        {
            state = Aes.Encrypt(state, _encryption[round]);
        }

        return ToNumber(Aes.EncryptLast(state, _encryption[Rounds]));
    }

    /// <summary>Decrypts a block.</summary>
    public UInt128 Decrypt(UInt128 block)
    {
        if (!_hasInstructions)
        {
            return DecryptByTables(block);
        }

        Vector128<byte> state = ToVector(block) ^ _decryption[0];
        for (int round = 1; round < Rounds; round++)
        {
            state = Aes.Decrypt(state, _decryption[round]);
        }

        return ToNumber(Aes.DecryptLast(state, _decryption[Rounds]));
    }

    private static Vector128<byte> ToVector(UInt128 block) =>
        Vector128.Create(BinaryPrimitives.ReverseEndianness((ulong)(block >> 64)), BinaryPrimitives.ReverseEndianness((ulong)block)).AsByte();

    private static UInt128 ToNumber(Vector128<byte> state)
    {
        Vector128<ulong> halves = state.AsUInt64();
        return new UInt128(BinaryPrimitives.ReverseEndianness(halves.GetElement(0)), BinaryPrimitives.ReverseEndianness(halves.GetElement(1)));
    }

    private UInt128 EncryptByTables(UInt128 block)
    {
        Span<byte> state = stackalloc byte[KeyBytes];
        BinaryPrimitives.WriteUInt128BigEndian(state, block);
        AddKey(state, 0);
        for (int round = 1; round <= Rounds; round++)
        {
            Substitute(state, s_box, step: 5);
            if (round < Rounds)
            {
                Mix(state);
            }

            AddKey(state, round);
        }

        return BinaryPrimitives.ReadUInt128BigEndian(state);
    }

    private UInt128 DecryptByTables(UInt128 block)
    {
        Span<byte> state = stackalloc byte[KeyBytes];
        BinaryPrimitives.WriteUInt128BigEndian(state, block);
        AddKey(state, Rounds);
        for (int round = Rounds - 1; round >= 0; round--)
        {
            Substitute(state, s_inverseBox, step: 13);
            AddKey(state, round);
            if (round > 0)
            {
                // Three times more is all the way round: mixing four times changes nothing.
                Mix(state);
                Mix(state);
                Mix(state);
            }
        }

        return BinaryPrimitives.ReadUInt128BigEndian(state);
    }

    private void AddKey(Span<byte> state, int round)
    {
        for (int i = 0; i < KeyBytes; i++)
        {
            state[i] ^= _schedule[(round * KeyBytes) + i];
        }
    }

    /// <summary>Substitutes all bytes and shifts the rows: byte i comes from 5 i, or 13 i on the way back, of 16.</summary>
    private static void Substitute(Span<byte> state, byte[] box, int step)
    {
        Span<byte> before = stackalloc byte[KeyBytes];
        state.CopyTo(before);
        for (int i = 0; i < KeyBytes; i++)
        {
            state[i] = box[before[(i * step) & (KeyBytes - 1)]];
        }
    }

    /// <summary>Mixes each column: with 2, 3, 1, 1 over GF(2^8).</summary>
    private static void Mix(Span<byte> state)
    {
        for (int column = 0; column < KeyBytes; column += 4)
        {
            (byte a, byte b, byte c, byte d) = (state[column], state[column + 1], state[column + 2], state[column + 3]);
            byte all = (byte)(a ^ b ^ c ^ d);
            state[column] ^= (byte)(all ^ Double((byte)(a ^ b)));
            state[column + 1] ^= (byte)(all ^ Double((byte)(b ^ c)));
            state[column + 2] ^= (byte)(all ^ Double((byte)(c ^ d)));
            state[column + 3] ^= (byte)(all ^ Double((byte)(d ^ a)));
        }
    }

    private static byte Double(byte value) => (byte)((value << 1) ^ ((value >> 7) * 0x1B));

    private static byte[] Expand(ReadOnlySpan<byte> key)
    {
        byte[] schedule = new byte[KeyBytes * (Rounds + 1)];
        key[..KeyBytes].CopyTo(schedule);
        byte constant = 1;
        for (int at = KeyBytes; at < schedule.Length; at += 4)
        {
            bool isFirst = at % KeyBytes == 0;
            for (int i = 0; i < 4; i++)
            {
                byte before = schedule[at - 4 + (isFirst ? (i + 1) % 4 : i)];
                schedule[at + i] = (byte)(schedule[at - KeyBytes + i] ^ (isFirst ? s_box[before] ^ (i == 0 ? constant : 0) : before));
            }

            constant = isFirst ? Double(constant) : constant;
        }

        return schedule;
    }

    /// <summary>The inverse of each byte in GF(2^8), by powers of the generator 3, and the affine map behind it (FIPS 197, 5.1.1).</summary>
    private static byte[] MakeBox()
    {
        byte[] powers = new byte[256];
        byte[] logarithms = new byte[256];
        byte power = 1;
        for (int i = 0; i < 255; i++)
        {
            powers[i] = power;
            logarithms[power] = (byte)i;
            power ^= Double(power);
        }

        byte[] box = new byte[256];
        for (int i = 0; i < box.Length; i++)
        {
            byte inverse = i == 0 ? (byte)0 : powers[(255 - logarithms[i]) % 255];
            box[i] = (byte)(0x63 ^ inverse ^ byte.RotateLeft(inverse, 1) ^ byte.RotateLeft(inverse, 2) ^ byte.RotateLeft(inverse, 3) ^ byte.RotateLeft(inverse, 4));
        }

        return box;
    }

    private static byte[] Invert(byte[] box)
    {
        byte[] inverse = new byte[box.Length];
        for (int i = 0; i < box.Length; i++)
        {
            inverse[box[i]] = (byte)i;
        }

        return inverse;
    }
}
