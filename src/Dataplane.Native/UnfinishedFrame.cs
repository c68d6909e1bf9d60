using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>A received frame that is to be finished by whoever takes it.</summary>
/// <param name="Index">Its place among the frames of the same call.</param>
/// <param name="Header">What is left to do; offsets count from the frame's first MAC byte, VLAN tag in place.</param>
internal readonly record struct UnfinishedFrame(int Index, virtio_net_hdr Header);
