/* SPDX-License-Identifier: Apache-2.0 */
/* fast_peer.cpp - a program of another maker's DDS: eProsima Fast DDS, with types that fastddsgen
 * made of ROS 2's definitions.
 *
 * Usage: fast_peer DOMAIN
 *
 * Takes clouds, images and measurements of inertial units from the topics rt/points, rt/image and
 * rt/imu, each of which must be content.h's, every field and byte, and writes them to
 * rt/back/points, rt/back/image and rt/back/imu. Prints "ready", goes on until it is killed; the
 * first wrong one ends it. */
#include <sensor_msgsPubSubTypes.h>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/Topic.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>
#include <fastrtps/utils/IPLocator.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace eprosima::fastdds::dds;
using Cloud = sensor_msgs::msg::dds_::PointCloud2_;
using CloudType = sensor_msgs::msg::dds_::PointCloud2_PubSubType;
using Field = sensor_msgs::msg::dds_::PointField_;
using Image = sensor_msgs::msg::dds_::Image_;
using ImageType = sensor_msgs::msg::dds_::Image_PubSubType;
using Imu = sensor_msgs::msg::dds_::Imu_;
using ImuType = sensor_msgs::msg::dds_::Imu_PubSubType;
using Header = std_msgs::msg::dds_::Header_;
using Vector = geometry_msgs::msg::dds_::Vector3_;

namespace
{
constexpr int peers = 10; /* participants that side.c's configuration lets a machine have */
constexpr int own_index = 5;

/* RTPS's rule for the port by which a participant is found. */
uint32_t discovery_port(uint32_t domain, int index)
{
    return 7400 + 250 * domain + 10 + 2 * static_cast<uint32_t>(index);
}

/* By UDP, on the loopback interface. */
DomainParticipant *join(uint32_t domain)
{
    DomainParticipantQos qos;
    auto udp = std::make_shared<eprosima::fastdds::rtps::UDPv4TransportDescriptor>();
    udp->interfaceWhiteList.push_back("127.0.0.1");
    qos.transport().use_builtin_transports = false;
    qos.transport().user_transports.push_back(udp);
    qos.wire_protocol().participant_id = own_index;
    for (int i = 0; i < peers; i++) {
        eprosima::fastrtps::rtps::Locator_t peer;
        eprosima::fastrtps::rtps::IPLocator::setIPv4(peer, "127.0.0.1");
        peer.port = discovery_port(domain, i);
        qos.wire_protocol().builtin.initialPeersList.push_back(peer);
    }
    return DomainParticipantFactory::get_instance()->create_participant(domain, qos);
}

template <class Type> Topic *open_topic(DomainParticipant *participant, const char *name)
{
    const TypeSupport type(new Type);
    type.register_type(participant);
    return participant->create_topic(name, type.get_type_name(), TOPIC_QOS_DEFAULT);
}

template <class Type> DataReader *open_reader(DomainParticipant *participant, const char *name)
{
    DataReaderQos qos = DATAREADER_QOS_DEFAULT;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.history().depth = 20;
    return participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT)
        ->create_datareader(open_topic<Type>(participant, name), qos);
}

template <class Type> DataWriter *open_writer(DomainParticipant *participant, const char *name)
{
    DataWriterQos qos = DATAWRITER_QOS_DEFAULT;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.history().depth = 20;
    qos.publish_mode().kind = ASYNCHRONOUS_PUBLISH_MODE; /* for messages in fragments */
    return participant->create_publisher(PUBLISHER_QOS_DEFAULT)
        ->create_datawriter(open_topic<Type>(participant, name), qos);
}

bool is_field(const Field &field, const char *name, uint32_t offset, uint8_t type, uint32_t count)
{
    return field.name() == name && field.offset() == offset && field.datatype() == type &&
           field.count() == count;
}

bool has_header(const Header &header, const char *frame_id)
{
    return header.stamp().sec() == 1700000000 && header.frame_id() == frame_id;
}

/* The size that was asked for, by which data begins. */
uint32_t size_in(const std::vector<uint8_t> &data)
{
    uint32_t size = 0;
    for (size_t i = 4; i-- > 0;)
        size = size << 8 | data.at(i);
    return size;
}

bool has_data(const std::vector<uint8_t> &data, uint32_t number)
{
    for (uint32_t i = 4; i < data.size(); i++)
        if (data[i] != static_cast<uint8_t>((i * 2654435761u + number * 40503u) >> 13))
            return false;
    return true;
}

/* As content.c's check_cloud. */
bool is_right(const Cloud &cloud)
{
    uint32_t number = cloud.header().stamp().nanosec();
    const auto &fields = cloud.fields();
    return has_header(cloud.header(), "lidar_front") && cloud.height() == 1 && fields.size() == 4 &&
           is_field(fields[0], "x", 0, 7, 1) && is_field(fields[1], "y", 4, 7, 1) &&
           is_field(fields[2], "z", 8, 7, 1) && is_field(fields[3], "intensity", 12, 4, 2) &&
           !cloud.is_bigendian() && cloud.is_dense() == (number % 2 != 0) &&
           cloud.point_step() == 16 && cloud.row_step() == 16 * cloud.width() &&
           cloud.data().size() == cloud.row_step() && has_data(cloud.data(), number) &&
           cloud.width() == size_in(cloud.data()) / 16 + number % 7;
}

/* As its check_image. */
bool is_right(const Image &image)
{
    uint32_t number = image.header().stamp().nanosec();
    return has_header(image.header(), "camera_left") && image.width() == 33 &&
           image.encoding() == "rgb8" && image.is_bigendian() == 0 &&
           image.step() == 99 + number % 4 &&
           image.data().size() == image.height() * image.step() && has_data(image.data(), number) &&
           image.height() == size_in(image.data()) / 100;
}

bool is_vector(const Vector &vector, double x, double y, double z)
{
    return vector.x() == x && vector.y() == y && vector.z() == z;
}

/* As its check_imu. */
bool is_right(const Imu &imu)
{
    double n = imu.header().stamp().nanosec();
    const auto &q = imu.orientation();
    bool right = has_header(imu.header(), "imu") && q.x() == n && q.y() == n + 0.25 &&
                 q.z() == n + 0.5 && q.w() == n + 0.75 &&
                 is_vector(imu.angular_velocity(), n + 10.5, n + 11.5, n + 12.5) &&
                 is_vector(imu.linear_acceleration(), -n, -n - 1, -n - 2);
    for (unsigned i = 0; i < 9; i++)
        right = right && imu.orientation_covariance()[i] == i + 100.0 &&
                imu.angular_velocity_covariance()[i] == i + 200.0 &&
                imu.linear_acceleration_covariance()[i] == i + 300.0;
    return right;
}

/* Messages of one type, from one topic to another. */
template <class Message, class Type> class Echo
{
  public:
    Echo(DomainParticipant *participant, const char *from, const char *to)
        : reader(open_reader<Type>(participant, from)), writer(open_writer<Type>(participant, to))
    {
    }

    bool is_open() const { return reader && writer; }

    [[noreturn]] void run()
    {
        for (;;) {
            Message message;
            SampleInfo info;
            reader->wait_for_unread_message({1, 0});
            while (reader->take_next_sample(&message, &info) == ReturnCode_t::RETCODE_OK) {
                if (!info.valid_data)
                    continue;
                if (!is_right(message) || !writer->write(&message)) {
                    std::fprintf(stderr, "message %u of %s is wrong, or was not written\n",
                                 message.header().stamp().nanosec(),
                                 reader->get_topicdescription()->get_name().c_str());
                    std::_Exit(1);
                }
            }
        }
    }

  private:
    DataReader *reader;
    DataWriter *writer;
};
} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    DomainParticipant *participant =
        join(static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10)));
    if (!participant)
        return 1;
    Echo<Cloud, CloudType> clouds(participant, "rt/points", "rt/back/points");
    Echo<Image, ImageType> images(participant, "rt/image", "rt/back/image");
    Echo<Imu, ImuType> imus(participant, "rt/imu", "rt/back/imu");
    if (!clouds.is_open() || !images.is_open() || !imus.is_open())
        return 1;
    std::puts("ready");
    std::fflush(stdout);
    std::thread image_thread([&] { images.run(); });
    std::thread imu_thread([&] { imus.run(); });
    clouds.run();
}
