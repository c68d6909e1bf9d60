using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Packets;

/// <summary>The parser's short way must find what the long way finds, and leave to it whatever is odd.</summary>
public sealed class PlainParserTests
{
    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void Process_RandomFrames_FindsWhatTheLongWayFinds(ulong seed, bool sound)
    {
        const int SlotBytes = 2048, Headroom = 128;
        var mutator = new PacketMutator(seed, PacketCorpus.Make());
        var hash = new FlowHash(7);
        var batch = new PacketBatch();
        byte[] slab = new byte[PacketBatch.Capacity * SlotBytes];
        int plain = 0, odd = 0;
        for (int round = 0; round < 200; round++)
        {
            batch.Clear(default, 0);
            batch.SetMemory(slab);
            for (int i = 0; i < PacketBatch.Capacity; i++)
            {
                int offset = (i * SlotBytes) + Headroom;
                Span<byte> target = slab.AsSpan(offset, SlotBytes - Headroom);
                batch.Add(offset, sound ? mutator.NextSound(target, TestPlane.WanMac) : mutator.NextWild(target, TestPlane.WanMac));
            }

            PacketParser.Process(batch, in hash);
            for (int i = 0; i < batch.Count; i++)
            {
                PacketHeaders headers = default;
                FlowKey key = default;
                DropReason reason = PacketParser.Parse(batch.Frame(i), ref headers, ref key);
                Assert.Equal(reason, batch.ReasonOf(i));
                Assert.Equal(headers, batch.HeadersOf(i));
                Assert.Equal(key, batch.KeyOf(i));
                if (reason == DropReason.None)
                {
                    Assert.Equal(headers.Fragment == FragmentKind.None ? hash.Of(in key) : hash.OfAddresses(in key), batch.HashOf(i));
                }

                bool isPlain = headers.IsPlainIpv4 || headers.IsPlainIpv6;
                plain += isPlain && reason == DropReason.None ? 1 : 0;
                odd += isPlain ? 0 : 1;
            }
        }

        Assert.True(plain > 1000 && odd > 1000, $"{plain} plain, {odd} others");
    }
}
