namespace Dataplane.Overlays;

/// <summary>What has been taken of the inner frames that wait.</summary>
/// <param name="Frames">Frames as they were in outer packets.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Released">How many of them were the first of their outer packet, which was held; the others came into being when it was taken apart.</param>
/// <param name="Joined">How many have been joined with the one before.</param>
internal readonly record struct InnerShare(int Frames, long Bytes, int Released, int Joined);
