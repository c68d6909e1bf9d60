using Dataplane.Ports;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Ports;

public class CaptureFilePropertyTests
{
    [Fact]
    public void Read_ArbitraryBytes_ThrowNothingButTheFormatException() =>
        Prop.ForAll(Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf().ToArbitrary(), bytes =>
        {
            ReadHostile(bytes);
            foreach (byte[] start in s_starts)
                ReadHostile([.. start, .. bytes]);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000).WithEndSize(400));

    [Fact]
    public void Read_MutatedFiles_ThrowNothingButTheFormatException()
    {
        // Almost right files get further into the reader than noise: flip, cut, repeat and overwrite with extreme values.
        Arbitrary<(int File, int Seed)> mutations = Gen.Choose(0, s_files.Length - 1).Zip(Gen.Choose(0, int.MaxValue - 1)).ToArbitrary();
        Prop.ForAll(mutations, mutation =>
        {
            (int file, int seed) = mutation;
            ReadHostile(Mutate(s_files[file], new Random(seed)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(10_000));
    }

    [Fact]
    public void Read_EveryPrefixOfEveryFile_ThrowsNothingButTheFormatException()
    {
        foreach (byte[] file in s_files)
        {
            for (int length = 0; length <= file.Length; length++)
                ReadHostile(file[..length]);
        }
    }

    [Fact]
    public void WriteThenRead_AnyFrames_AreTheSame()
    {
        Arbitrary<(long Time, byte[] Frame)[]> frames = ArbMap.Default.GeneratorFor<long>()
            .Select(time => (time & long.MaxValue) % (4_294_967_296 * 1_000_000_000))
            .Zip(Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf()).ArrayOf().ToArbitrary();
        Prop.ForAll(frames, sequence =>
        {
            var stream = new MemoryStream();
            using (var writer = new CaptureFileWriter(stream, leaveOpen: true))
            {
                foreach ((long time, byte[] frame) in sequence)
                    writer.Write(time, frame);
            }

            var read = CaptureBuilder.Read(stream.ToArray());
            Assert.Equal(sequence.Select(frame => frame.Time), read.Select(frame => frame.TimestampNs));
            Assert.Equal(sequence.Select(frame => frame.Frame), read.Select(frame => frame.Bytes));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithEndSize(120));
    }

    private static readonly byte[][] s_starts =
    [
        new CaptureBuilder().FileHeader().ToArray(),
        new CaptureBuilder(bigEndian: true).FileHeader(0xA1B2_3C4D, 101).ToArray(),
        new CaptureBuilder().Section().Interface(101).ToArray(),
        new CaptureBuilder(bigEndian: true).Section().Interface().U32(6).ToArray(),
    ];

    private static readonly byte[][] s_files = [.. Files()];

    private static IEnumerable<byte[]> Files()
    {
        foreach (bool bigEndian in (bool[])[false, true])
        {
            byte[] frame = TestFrames.Make(1, 60), odd = TestFrames.Make(2, 71);
            yield return new CaptureBuilder(bigEndian).FileHeader().Record(1, 2, frame).Record(3, 4, odd).Record(5, 6, []).ToArray();
            yield return new CaptureBuilder(bigEndian).FileHeader(0xA1B2_3C4D, 0x2400_0065).Record(1, 2, frame).Record(3, 4, odd).ToArray();
            yield return new CaptureBuilder(bigEndian).Section().Interface(snapLength: 65, options: options => options.Option(9, 9).Option(2, [1, 2, 3]).Option(14, new byte[8]).Option(0))
                .Interface(229, options: options => options.Option(13, 32)).Enhanced(0, 1, frame).Obsolete(1, 2, odd).Simple(odd).Block(77, body => body.Bytes(odd))
                .Section().Interface(101).Simple(frame).Enhanced(0, 9, odd).ToArray();
        }
    }

    /// <summary>Reads to the end or to the exception, and checks that no more comes out than the file can hold.</summary>
    private static void ReadHostile(byte[] bytes)
    {
        int frames = 0;
        long captured = 0;
        try
        {
            using var reader = new CaptureFileReader(new MemoryStream(bytes));
            while (reader.Read())
            {
                CapturedFrame frame = reader.Current;
                frames++;
                captured += frame.Bytes.Length;
                Assert.InRange(frame.TimestampNs, 0, long.MaxValue - 1);
                Assert.InRange(frame.OriginalLengthBytes, frame.Bytes.Length, int.MaxValue);
            }
        }
        catch (CaptureFormatException exception)
        {
            Assert.InRange(exception.Offset, 0, bytes.Length);
        }

        // A packet costs at least 16 bytes of header; 14 of those may have come back as an Ethernet header.
        Assert.True(frames <= bytes.Length / 16, $"{frames} frames out of {bytes.Length} bytes");
        Assert.True(captured <= bytes.Length, $"{captured} bytes out of {bytes.Length}");
    }

    private static byte[] Mutate(byte[] file, Random random)
    {
        uint[] extremes = [0, 1, 11, 12, 16, 262_144, 262_145, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFC, 0xFFFF_FFFF];
        List<byte> bytes = [.. file];
        for (int i = random.Next(1, 6); i > 0 && bytes.Count > 8; i--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes.RemoveRange(at, random.Next(bytes.Count - at));
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(0, random.Next(bytes.Count)));
                    break;
                default:
                    byte[] extreme = BitConverter.GetBytes(extremes[random.Next(extremes.Length)]);
                    at = at / 4 * 4;
                    for (int j = 0; j < 4 && at + j < bytes.Count; j++)
                        bytes[at + j] = extreme[j];
                    break;
            }
        }

        return [.. bytes];
    }
}
